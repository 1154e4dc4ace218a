/* Kernels that follow each other image by image: what one writes of an image, the next reads while it is in the cache. Each
 * makes the same as by itself, as it cuts the images into the same shares and takes them in the same order. */
#include "bp.h"

enum { LINKS = 8 }; /* as in engine/replay/program.py, like the struct */

struct Chain {
    int64_t count, images, block; /* images at once: a multiple of what each kernel wants */
    const Call *calls[LINKS];
    const Link *links[LINKS];
};

/* How many images of a call belong together, and its link; 0 where it cannot be part of a chain. */
int64_t bp_link(const Call *call, const Link **link) {
    for (int type = 0; type < 2; type++)
        for (int id = 0; id < COUNT; id++) {
            *link = &bp_links[type][id];
            if (bp_loops[type][id] == call->run) return !(*link)->images ? 0 : (*link)->at_once ? (*link)->at_once(call) : 1;
        }
    return 0;
}

static void chain_share(const Call *wrapped, int64_t part, int64_t parts) {
    const Chain *chain = wrapped->work;
    int64_t first, last;
    cut(chain->images, part, parts, &first, &last);
    for (int64_t low = first; low < last; low += chain->block) {
        const int64_t high = smaller(low + chain->block, last);
        for (int64_t i = 0; i < chain->count; i++) chain->links[i]->images(chain->calls[i], part, low, high, chain->images);
    }
}

void bp_run_chain(const Chain *chain) {
    const Call wrapped = {.work = (void *)(uintptr_t)chain};
    for (int64_t i = 0; i < chain->count; i++)
        if (chain->links[i]->begin) chain->links[i]->begin(chain->calls[i]);
    bp_share(chain_share, &wrapped, SHARES);
    for (int64_t i = 0; i < chain->count; i++)
        if (chain->links[i]->end) chain->links[i]->end(chain->calls[i]);
}
