/* Reads the NumPy arrays that Python passes as they are, and refuses what the kernels cannot take.
 *
 * The fields are those of PyArrayObject_fields and PyArray_Descr in numpy/ndarraytypes.h, the same since NumPy 1.7.
 * Where they begin, after the object's own header, is measured by the loader, which also tries them. */
#include "objects.h"

#include <stddef.h>
#include <string.h>

typedef struct {
    int64_t header; /* bytes of PyObject_HEAD */
    const void *array_type, *none;
} Python;

typedef struct {
    char *data;
    int nd;
    const int64_t *shape, *strides;
    const void *base;
    const char *dtype;
} Fields;

enum { KIND_CODE = sizeof(void *) + 1 }; /* of a dtype, after its header: the type's pointer, `kind`, `type` */
static Python python;

void bp_describe(int64_t header, const void *array_type, const void *none) {
    python = (Python){header, array_type, none};
}

static int code_of(const Fields *fields) { return fields->dtype[python.header + KIND_CODE]; }

static int is_int64(int code) { return code == 'q' || (code == 'l' && sizeof(long) == 8); }

/* An array without gaps as one axis. 0 if it is so. */
static int flat(View *out, const Fields *fields, int64_t bytes, int64_t *expected) {
    out->size = 1;
    for (int axis = fields->nd - 1; axis >= 0; out->size *= fields->shape[axis--])
        if (fields->shape[axis] > 1 && fields->strides[axis] != out->size * bytes) return 1;
    if (*expected < 0) *expected = out->size;
    out->shape[0] = out->size;
    out->step[0] = 1;
    return *expected != out->size;
}

/* One array as `word` wants it. 0 if it is so. */
static int view(View *out, const void *object, const char *word, int64_t *sizes, int *real) {
    if (*word == '?') {
        if (object == python.none) {
            memset(out, 0, sizeof *out);
            return 0;
        }
        word++;
    }
    const char kind = strchr("*#%=^", *word) ? *word++ : ' ';
    const void *type;
    memcpy(&type, (const char *)object + python.header - sizeof type, sizeof type);
    if (type != python.array_type) return 1;
    const Fields *fields = (const Fields *)((const char *)object + python.header);
    const int code = code_of(fields);
    int64_t bytes = code == 'f' ? 4 : 8;
    if (kind == '#') {
        if (!is_int64(code)) return 1;
    } else if (kind == '%') {
        if (code != 'B') return 1;
        bytes = 1;
    } else {
        if (code != 'f' && code != 'd') return 1;
        if (*real && *real != code) return 1;
        *real = code;
    }
    out->data = fields->data;
    if ((uintptr_t)fields->data % (uintptr_t)bytes) return 1;
    if (kind == '^') return flat(out, fields, bytes, &sizes['^']);
    int nd = 0;
    out->size = 1;
    for (; *word && *word != ' '; word++, nd++) {
        if (nd >= fields->nd || nd >= RANK) return 1;
        const int64_t size = fields->shape[nd], stride = fields->strides[nd];
        int64_t *expected = &sizes[(unsigned char)*word];
        if (*expected < 0 || *word == '_') *expected = size;
        if (*expected != size || stride % bytes) return 1;
        out->shape[nd] = size;
        out->step[nd] = stride / bytes;
        out->size *= size;
    }
    if (nd != fields->nd) return 1;
    if (out->shape[nd - 1] <= 1) out->step[nd - 1] = 1;
    if (out->size == 0) return 0;
    if (kind == '*' && (out->step[0] == 1 || out->shape[0] <= 1)) return 0;
    int64_t apart = 1;
    for (int axis = nd - 1; axis >= 0; apart *= out->shape[axis--]) {
        const int matters = axis == nd - 1 || (kind == '=' && out->shape[axis] > 1);
        if (matters && out->step[axis] != apart) return 1;
    }
    return 0;
}

int bp_take(Call *call, const char *words, const void *const *objects) {
    int64_t sizes[128];
    int real = 0;
    memset(sizes, -1, sizeof sizes);
    sizes['1'] = 1;
    for (View *each = call->a; *words; each++, objects++) {
        if (view(each, *objects, words, sizes, &real)) return 0;
        while (*words && *words != ' ') words++;
        if (*words) words++;
    }
    return real;
}

/* For the loader: what is read of an array. out: data, axes, size and stride of the first two, code of the dtype. */
void bp_read(const void *object, int64_t *out) {
    const Fields *fields = (const Fields *)((const char *)object + python.header);
    out[0] = (int64_t)(intptr_t)fields->data;
    out[1] = fields->nd;
    for (int i = 0; i < 2 && i < fields->nd; i++) out[2 + 2 * i] = fields->shape[i], out[3 + 2 * i] = fields->strides[i];
    out[6] = code_of(fields);
}
