/* Matrices: views of arrays, some of their rows or columns, transposed. */

SMALL Matrix FN(matrix)(const View *v) {
    return (Matrix){v->data, v->shape[0], v->shape[1], v->step[0], v->step[1]};
}

SMALL Matrix FN(plain)(const real *data, int64_t rows, int64_t columns, int64_t step) {
    return (Matrix){data, rows, columns, step, 1};
}

SMALL Matrix FN(transposed)(Matrix m) { return (Matrix){m.data, m.columns, m.rows, m.column_step, m.row_step}; }

SMALL Matrix FN(rows_of)(Matrix m, int64_t low, int64_t high) {
    m.data = (const real *)m.data + low * m.row_step;
    m.rows = high - low;
    return m;
}

SMALL Matrix FN(columns_of)(Matrix m, int64_t low, int64_t high) {
    m.data = (const real *)m.data + low * m.column_step;
    m.columns = high - low;
    return m;
}
