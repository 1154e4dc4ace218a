/* The table of this type and processor; then what the others of these files have defined. */

#define ENTRY(name) [ID_##name] = FN(name),
static Run *const FN(loops)[COUNT] = {KERNELS(ENTRY)};
#undef ENTRY

#undef FN_
#undef FN__
#undef FN
#undef R
#undef LOOP
#undef LOOP_OF
#undef ONCE
#undef SMALL
#undef EACH
#undef EVERY
#undef LOAD
#undef STORE
#undef ROW
#undef ROW3
#undef DATA
#undef SIZE
#undef BY_ROWS
#undef BY_IMAGES
#undef SUM
#undef CELL
#undef AT
#undef EVERY_CELL
#undef CELL_H
#undef CELL_W
#undef LANES
#undef WIDTH
#undef SHORT
#undef DEPTH
