/* e^x, tanh x, and the logistic function in forms that the compiler vectorizes.
 *
 * e^x = 2^n e^r with |r| <= ln 2 / 2; e^r as in Cephes (Moshier 1992, expf.c and exp.c). n is read from the digits of
 * x / ln 2 + 1.5 2^23 (2^52). Errors: 2 units in the last place (float32), 3 (float64); 0 below -87.3 (-708),
 * where denormal numbers begin, and infinity above 88 (709).
 * tanh: in float32 Eigen's quotient of polynomials (ptanh_float), within 6 units in the last place; in float64 that
 * of Cephes up to 0.625, then 1 - 2 / (e^2x + 1), within 4.
 * tests/engine/kernels/test_elementary.py measures these. */

#if WIDE

SMALL real FN(exp)(real x) {
    const real magic = 0x1.8p52, low = -708.0, high = 709.0;
    const real shifted = x * 1.4426950408889634 + magic, n = shifted - magic;
    real r = x - n * 6.93145751953125E-1;
    r = r - n * 1.42860682030941723212E-6;
    const real square = r * r;
    const real p = r * ((1.26177193074810590878E-4 * square + 3.02994407707441961300E-2) * square + 1.0);
    const real q = ((3.00198505138664455042E-6 * square + 2.52448340349684104192E-3) * square
                    + 2.27265548208155028766E-1) * square + 2.0;
    union { real number; uint64_t bits; } scale = {shifted};
    scale.bits = (scale.bits << 52) + ((uint64_t)1023 << 52);
    const real y = (1.0 + 2.0 * (p / (q - p))) * scale.number;
    const real above = x > high ? (real)INFINITY : y;
    return x < low ? 0.0 : above;
}

SMALL real FN(tanh_of)(real x) {
    const real size = ABS(x), square = x * x;
    const real p = (-9.64399179425052238628E-1 * square - 9.92877231001918586564E1) * square - 1.61468768441708447952E3;
    const real q = ((square + 1.12811678491632931402E2) * square + 2.23548839060100448583E3) * square
                   + 4.84406305325125486048E3;
    const real near = x + x * square * (p / q);
    const real far = 1.0 - 2.0 / (FN(exp)(2.0 * size) + 1.0);
    const real signed_far = x < 0 ? -far : far;
    return size < 0.625 ? near : signed_far;
}

#else

SMALL real FN(exp)(real x) {
    const real magic = 0x1.8p23f, low = -87.3f, high = 88.0f;
    const real shifted = x * 1.44269504f + magic, n = shifted - magic;
    real r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    real p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    union { real number; uint32_t bits; } scale = {shifted};
    scale.bits = (scale.bits << 23) + ((uint32_t)127 << 23);
    const real y = p * scale.number;
    const real above = x > high ? (real)INFINITY : y;
    return x < low ? 0.0f : above;
}

SMALL real FN(tanh_of)(real x) {
    const real end = 7.90531110763549805f; /* from here on it rounds to 1 */
    const real size = ABS(x), inside = size > end ? end : size; /* NaN stays */
    const real square = inside * inside;
    real above = -2.76076847742355e-16f * square + 2.00018790482477e-13f;
    above = above * square + -8.60467152213735e-11f;
    above = above * square + 5.12229709037114e-08f;
    above = above * square + 1.48572235717979e-05f;
    above = above * square + 6.37261928875436e-04f;
    above = above * square + 4.89352455891786e-03f;
    real below = 1.19825839466702e-06f * square + 1.18534705686654e-04f;
    below = below * square + 2.26843463243900e-03f;
    below = below * square + 4.89352518554385e-03f;
    const real y = inside * above / below;
    return COPYSIGN(size > end ? 1.0f : y, x); /* whichever products a compiler joins with sums */
}

#endif

SMALL real FN(sigmoid_of)(real x) { return R(0.5) * FN(tanh_of)(R(0.5) * x) + R(0.5); }
