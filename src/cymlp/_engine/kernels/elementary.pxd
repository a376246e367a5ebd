"""exp, tanh and their kin without branches or calls: compilers vectorise the loops around them.

Polynomials and rational functions of S. L. Moshier's Cephes library, "Methods and Programs
for Mathematical Functions" (1989). exp is within 2 ulp, tanh within 3; both are right at the
infinities, at NaN, and where the result is subnormal. erf is within 3 ulp, and so
are log1p and expm1 on the parts of the axis that activations ask for.
"""
from cython cimport floating

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* e^x = 2^n e^r, n the integer nearest to x / log 2, |r| <= log(2) / 2. Adding and taking
       off 1.5 * 2^23 (2^52) rounds to an integer, which then stands in the last bits of the
       sum. 2^n is made in two factors, of which each is a normal number. */

    static inline float cymlp_expf(float x) {
        x = x > 89.0f ? 89.0f : x;
        x = x < -104.0f ? -104.0f : x;
        const float magic = 12582912.0f;
        const float shifted = x * 1.44269504088896341f + magic;
        const float n = shifted - magic;
        const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
        float p = 1.9875691500e-4f;
        p = p * r + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * (r * r) + r + 1.0f;
        int32_t bits, half;
        memcpy(&bits, &shifted, sizeof bits);
        bits -= 0x4B400000;
        half = bits >> 1;
        const int32_t first_bits = (int32_t)((uint32_t)(half + 127) << 23);
        const int32_t second_bits = (int32_t)((uint32_t)(bits - half + 127) << 23);
        float first, second;
        memcpy(&first, &first_bits, sizeof first);
        memcpy(&second, &second_bits, sizeof second);
        return p * first * second;
    }

    static inline double cymlp_exp(double x) {
        x = x > 710.0 ? 710.0 : x;
        x = x < -746.0 ? -746.0 : x;
        const double magic = 6755399441055744.0;
        const double shifted = x * 1.4426950408889634073599 + magic;
        const double n = shifted - magic;
        const double r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
        const double rr = r * r;
        double p = 1.26177193074810590878e-4;
        p = p * rr + 3.02994407707441961300e-2;
        p = (p * rr + 9.99999999999999999910e-1) * r;
        double q = 3.00198505138664455042e-6;
        q = q * rr + 2.52448340349684104192e-3;
        q = q * rr + 2.27265548208155028766e-1;
        q = q * rr + 2.00000000000000000009;
        p = 1.0 + 2.0 * (p / (q - p));
        int64_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        /* The low half alone: SSE2 has no arithmetic shift of 64 bits. */
        const int32_t whole = (int32_t)bits, half = whole >> 1;
        const int64_t first_bits = (int64_t)((uint64_t)(uint32_t)(half + 1023) << 52);
        const int64_t second_bits = (int64_t)((uint64_t)(uint32_t)(whole - half + 1023) << 52);
        double first, second;
        memcpy(&first, &first_bits, sizeof first);
        memcpy(&second, &second_bits, sizeof second);
        return p * first * second;
    }

    /* tanh x = x + x^3 P(x^2) / Q(x^2) for |x| < 0.625, else sign(x) (1 - 2 / (e^(2 |x|) + 1)). */

    static inline float cymlp_tanhf(float x) {
        const float size = x < 0.0f ? -x : x, z = x * x;
        float p = -5.70498872745e-3f;
        p = p * z + 2.06390887954e-2f;
        p = p * z - 5.37397155531e-2f;
        p = p * z + 1.33314422036e-1f;
        p = p * z - 3.33332819422e-1f;
        p = p * z * x + x;
        const float outer = 1.0f - 2.0f / (cymlp_expf(2.0f * size) + 1.0f);
        return size < 0.625f ? p : (x < 0.0f ? -outer : outer);
    }

    static inline double cymlp_tanh(double x) {
        const double size = x < 0.0 ? -x : x, z = x * x;
        double p = -9.64399179425052238628e-1;
        p = p * z - 9.92877231001918586564e1;
        p = p * z - 1.61468768441708447952e3;
        double q = z + 1.12811678491632931402e2;
        q = q * z + 2.23548839060100448583e3;
        q = q * z + 4.84406305325125486048e3;
        p = x + x * z * (p / q);
        const double outer = 1.0 - 2.0 / (cymlp_exp(2.0 * size) + 1.0);
        return size < 0.625 ? p : (x < 0.0 ? -outer : outer);
    }

    /* erf x = x P(x^2) / Q(x^2) for |x| < 1, else sign(x) (1 - e^(-x^2) R(|x|) / S(|x|)), which
       is 1 from 6 on. */

    #define CYMLP_ERF(name, REAL, exponential) \
    static inline REAL name(REAL x) { \
        REAL size = x < 0 ? -x : x; \
        const REAL z = x * x; \
        REAL p = (REAL)9.60497373987051638749e0; \
        p = p * z + (REAL)9.00260197203842689217e1; \
        p = p * z + (REAL)2.23200534594684319226e3; \
        p = p * z + (REAL)7.00332514112805075473e3; \
        p = p * z + (REAL)5.55923013010394962768e4; \
        REAL q = z + (REAL)3.35617141647503099647e1; \
        q = q * z + (REAL)5.21357949780152679795e2; \
        q = q * z + (REAL)4.59432382970980127987e3; \
        q = q * z + (REAL)2.26290000613890934246e4; \
        q = q * z + (REAL)4.92673942608635921086e4; \
        const REAL inner = x * (p / q); \
        size = size > 6 ? 6 : size; \
        REAL r = (REAL)2.46196981473530512524e-10; \
        r = r * size + (REAL)5.64189564831068821977e-1; \
        r = r * size + (REAL)7.46321056442269912687e0; \
        r = r * size + (REAL)4.86371970985681366614e1; \
        r = r * size + (REAL)1.96520832956077098242e2; \
        r = r * size + (REAL)5.26445194995477358631e2; \
        r = r * size + (REAL)9.34528527171957607540e2; \
        r = r * size + (REAL)1.02755188689515710272e3; \
        r = r * size + (REAL)5.57535335369399327526e2; \
        REAL s = size + (REAL)1.32281951154744992508e1; \
        s = s * size + (REAL)8.67072140885989742329e1; \
        s = s * size + (REAL)3.54937778887819891062e2; \
        s = s * size + (REAL)9.75708501743205489753e2; \
        s = s * size + (REAL)1.82390916687909736289e3; \
        s = s * size + (REAL)2.24633760818710981792e3; \
        s = s * size + (REAL)1.65666309194161350182e3; \
        s = s * size + (REAL)5.57535340817727675546e2; \
        const REAL outer = 1 - exponential(-size * size) * (r / s); \
        return z < 1 ? inner : x < 0 ? -outer : x > 0 ? outer : x; \
    }
    CYMLP_ERF(cymlp_erff, float, cymlp_expf)
    CYMLP_ERF(cymlp_erf, double, cymlp_exp)

    /* log(1 + x) = 2 artanh(s) = 2 s (1 + s^2 / 3 + s^4 / 5 + ...), s = x / (2 + x) <= 1 / 3 for x
       from 0 to 1: enough terms for either precision. */

    static inline float cymlp_log1pf(float x) {
        const float s = x / (2.0f + x), z = s * s;
        float p = 1.0f / 15;
        p = p * z + 1.0f / 13;
        p = p * z + 1.0f / 11;
        p = p * z + 1.0f / 9;
        p = p * z + 1.0f / 7;
        p = p * z + 1.0f / 5;
        p = p * z + 1.0f / 3;
        return 2.0f * s + 2.0f * s * (z * p);
    }

    static inline double cymlp_log1p(double x) {
        const double s = x / (2.0 + x), z = s * s;
        double p = 1.0 / 33;
        p = p * z + 1.0 / 31;
        p = p * z + 1.0 / 29;
        p = p * z + 1.0 / 27;
        p = p * z + 1.0 / 25;
        p = p * z + 1.0 / 23;
        p = p * z + 1.0 / 21;
        p = p * z + 1.0 / 19;
        p = p * z + 1.0 / 17;
        p = p * z + 1.0 / 15;
        p = p * z + 1.0 / 13;
        p = p * z + 1.0 / 11;
        p = p * z + 1.0 / 9;
        p = p * z + 1.0 / 7;
        p = p * z + 1.0 / 5;
        p = p * z + 1.0 / 3;
        return 2.0 * s + 2.0 * s * (z * p);
    }
    """
    float cymlp_expf(float x) noexcept nogil
    double cymlp_exp(double x) noexcept nogil
    float cymlp_tanhf(float x) noexcept nogil
    double cymlp_tanh(double x) noexcept nogil
    float cymlp_erff(float x) noexcept nogil
    double cymlp_erf(double x) noexcept nogil
    float cymlp_log1pf(float x) noexcept nogil
    double cymlp_log1p(double x) noexcept nogil


cdef inline floating exp_(floating x) noexcept nogil:
    """e^x in the precision of x."""
    return cymlp_expf(x) if floating is float else cymlp_exp(x)


cdef inline floating tanh_(floating x) noexcept nogil:
    """tanh(x) in the precision of x."""
    return cymlp_tanhf(x) if floating is float else cymlp_tanh(x)


cdef inline floating erf_(floating x) noexcept nogil:
    """The error function in the precision of x."""
    return cymlp_erff(x) if floating is float else cymlp_erf(x)


cdef inline floating log1p_(floating x) noexcept nogil:
    """log(1 + x) in the precision of x, which is from 0 to 1."""
    return cymlp_log1pf(x) if floating is float else cymlp_log1p(x)


cdef inline floating expm1_(floating x) noexcept nogil:
    """e^x - 1 = 2 t / (1 - t), t = tanh(x / 2), in the precision of x, which is not above 0."""
    cdef floating one = 1, two = 2, t = tanh_(x / two)
    return two * t / (one - t)
