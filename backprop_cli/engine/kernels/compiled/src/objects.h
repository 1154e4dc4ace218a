/* Arguments from Python. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "bp.h"

/* Puts the arrays into call->a as `words` say, one word each: a letter for each axis, equal letters for equal sizes,
 * `_` for any, `1` for one; before it `?` where None may stand; then `*` for a matrix that may be transposed, `=` for
 * an array without gaps, `^` for one of any shape seen as one axis, `#` for int64, `%` for bytes. All but the last two are float32, or all float64; numbers lie
 * side by side along the last axis. Returns 'f' or 'd', or 0 where an array is otherwise. */
int bp_take(Call *call, const char *words, const void *const *objects);

#endif
