/* Kernels that work image by image, for chain.c. */

#define ROWS_LINK(name)                                                                                             \
    LOOP FN(name##_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {                 \
        (void)part, (void)total;                                                                                    \
        FN(name##_rows)(c, low, high);                                                                              \
    }
#define FLAT_LINK(name)                                                                                             \
    LOOP FN(name##_images)(const Call *c, int64_t part, int64_t low, int64_t high, int64_t total) {                 \
        const int64_t each = c->a[0].size / total;                                                                  \
        (void)part;                                                                                                 \
        FN(name##_rows)(c, low *each, high *each);                                                                  \
    }
ROWS_LINK(add_channels)
ROWS_LINK(add_channels_relu)
ROWS_LINK(batch_norm)
ROWS_LINK(max_pool)
ROWS_LINK(max_pool_gradient)
ROWS_LINK(avg_pool)
ROWS_LINK(avg_pool_gradient)
FLAT_LINK(add)
FLAT_LINK(copy)
FLAT_LINK(relu)
FLAT_LINK(relu_gradient)
#undef ROWS_LINK
#undef FLAT_LINK

#define PLAIN(name) [ID_##name] = {NULL, NULL, FN(name##_images), NULL}
static const Link FN(links)[COUNT] = {
    PLAIN(add_channels), PLAIN(add_channels_relu), PLAIN(batch_norm), PLAIN(max_pool), PLAIN(max_pool_gradient),
    PLAIN(avg_pool), PLAIN(avg_pool_gradient), PLAIN(add), PLAIN(copy), PLAIN(relu), PLAIN(relu_gradient),
    [ID_convolve] = {FN(convolve_begin), NULL, FN(convolve_images), NULL},
    [ID_kernel_gradient] = {NULL, FN(kernel_gradient_end), FN(kernel_gradient_images), FN(kernel_gradient_at_once)},
    [ID_input_gradient] = {FN(input_gradient_begin), NULL, FN(input_gradient_images), FN(input_gradient_at_once)},
    [ID_channels_relu_gradient] = {NULL, FN(channels_relu_gradient_end), FN(channels_relu_gradient_images),
                                   FN(channels_relu_gradient_at_once)},
    [ID_batch_norm_gradient] = {FN(batch_norm_gradient_begin), NULL, FN(batch_norm_gradient_images),
                                FN(batch_norm_gradient_at_once)},
};
#undef PLAIN
