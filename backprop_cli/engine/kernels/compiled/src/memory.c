/* Memory that a thread needs while it makes a product, and keeps for the next one. */
#include "bp.h"

#include <stdlib.h>

void *bp_packed(void) {
    static _Thread_local char memory[PACKED] __attribute__((aligned(64)));
    return memory;
}

void *bp_memory(size_t bytes) {
    static _Thread_local void *memory;
    static _Thread_local size_t size;
    if (bytes > size) {
        free(memory);
        memory = malloc(bytes);
        size = memory ? bytes : 0;
    }
    return memory;
}
