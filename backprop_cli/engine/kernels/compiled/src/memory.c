/* Memory that a thread needs while it makes a product, and keeps for the next one. */
#include "bp.h"

#include <stdlib.h>

enum { LINE = 64 }; /* bytes: a register that lies in two lines of the cache takes twice as long to read */

void *bp_packed(void) {
    static _Thread_local char memory[PACKED] __attribute__((aligned(LINE)));
    return memory;
}

void *bp_memory(size_t bytes) {
    static _Thread_local char *memory;
    static _Thread_local size_t size;
    if (bytes > size) {
        free(memory);
        memory = malloc(bytes + LINE);
        size = memory ? bytes : 0;
    }
    return memory ? memory + LINE - (uintptr_t)memory % LINE : NULL;
}
