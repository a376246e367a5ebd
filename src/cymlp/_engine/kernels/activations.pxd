"""Activations of hidden layers, and their slopes f'(Z).

Where the slope can be told from the outputs A = f(Z), nothing but A is kept; ``needs_derivative``
says where not, and ``activate_keeping_derivative`` then leaves it beside A. The choice of a variant
stands outside the loops. Every loop lets NaN through, so that a diverging fit shows itself.
"""
from cython cimport floating

from cymlp._engine.kernels.elementary cimport erf_, exp_, expm1_, log1p_, tanh_

cdef enum Activation:
    IDENTITY, LOGISTIC, TANH, RELU, LEAKY_RELU, ELU, SELU, SOFTPLUS, GELU, SILU, MISH

# The slope of leaky_relu below 0, as A. L. Maas et al., "Rectifier nonlinearities improve neural
# network acoustic models" (2013) have it; scale and scale * alpha of selu, from G. Klambauer
# et al., "Self-normalizing neural networks" (2017).
cdef extern from *:
    """
    #define CYMLP_LEAK 0.01
    #define CYMLP_SELU_SCALE 1.0507009873554804934193349852946
    #define CYMLP_SELU_BELOW 1.7580993408473768599402175208123
    #define CYMLP_SQRT_HALF 0.70710678118654752440
    #define CYMLP_NORMAL_DENSITY 0.39894228040143267794
    """
    const double LEAK "CYMLP_LEAK"
    const double SELU_SCALE "CYMLP_SELU_SCALE"
    const double SELU_BELOW "CYMLP_SELU_BELOW"
    const double SQRT_HALF "CYMLP_SQRT_HALF"
    const double NORMAL_DENSITY "CYMLP_NORMAL_DENSITY"


cdef inline bint needs_derivative(Activation f) noexcept nogil:
    """Whether f'(Z) cannot be told, or not well, from f(Z)."""
    return f >= SOFTPLUS


cdef inline floating sigma(floating z) noexcept nogil:
    """1 / (1 + e^-z); e^-z may overflow to inf, which gives 0 as it should."""
    cdef floating one = 1   # Cython's 1 is a double beside a float
    return one / (one + exp_(-z))


cdef inline void logistic(floating *Z, Py_ssize_t size) noexcept nogil:
    """Z (size,) <- 1 / (1 + e^-Z)."""
    cdef Py_ssize_t i
    for i in range(size):
        Z[i] = sigma(Z[i])


cdef inline floating softplus(floating z, floating *slope) noexcept nogil:
    """log(1 + e^z), without overflow."""
    cdef floating size = -z if z < 0 else z
    slope[0] = sigma(z)
    return (z if z > 0 else 0) + log1p_(exp_(-size))


cdef inline floating gelu(floating z, floating *slope) noexcept nogil:
    """z Phi(z), Phi the normal distribution's (D. Hendrycks, K. Gimpel, 2016)."""
    cdef floating half = <floating>0.5, one = 1
    cdef floating phi = half * (one + erf_(<floating>SQRT_HALF * z))
    slope[0] = phi + z * (<floating>NORMAL_DENSITY * exp_(-half * z * z))
    return z * phi


cdef inline floating silu(floating z, floating *slope) noexcept nogil:
    """z / (1 + e^-z) (S. Elfwing et al., 2017)."""
    cdef floating one = 1, s = sigma(z)
    slope[0] = s * (one + z * (one - s))
    return z * s


cdef inline floating mish(floating z, floating *slope) noexcept nogil:
    """z tanh(log(1 + e^z)) (D. Misra, 2019), the tanh told from u = e^-|z| alone."""
    cdef floating one = 1, two = 2, u = exp_(-z if z > 0 else z)
    cdef floating above = one + two * u, below = u * (u + two)
    cdef floating t = above / (above + two * u * u) if z > 0 else below / (below + two)
    slope[0] = t + z * (one - t * t) * sigma(z)
    return z * t


cdef inline void activate(Activation f, floating *Z, Py_ssize_t size) noexcept nogil:
    """A = f(Z) in place, Z (size,)."""
    cdef floating leak = <floating>LEAK
    cdef floating scale = <floating>SELU_SCALE, below = <floating>SELU_BELOW
    cdef floating _slope
    cdef Py_ssize_t i
    if f == LOGISTIC:
        logistic(Z, size)
    elif f == TANH:
        for i in range(size):
            Z[i] = tanh_(Z[i])
    elif f == RELU:
        for i in range(size):
            Z[i] = 0 if Z[i] < 0 else Z[i]
    elif f == LEAKY_RELU:
        for i in range(size):
            Z[i] = leak * Z[i] if Z[i] < 0 else Z[i]
    elif f == ELU:
        for i in range(size):
            Z[i] = expm1_(Z[i]) if Z[i] < 0 else Z[i]
    elif f == SELU:
        for i in range(size):
            Z[i] = below * expm1_(Z[i]) if Z[i] < 0 else scale * Z[i]
    elif f == SOFTPLUS:
        for i in range(size):
            Z[i] = softplus(Z[i], &_slope)
    elif f == GELU:
        for i in range(size):
            Z[i] = gelu(Z[i], &_slope)
    elif f == SILU:
        for i in range(size):
            Z[i] = silu(Z[i], &_slope)
    elif f == MISH:
        for i in range(size):
            Z[i] = mish(Z[i], &_slope)


cdef inline void multiply_derivative(
    Activation f, const floating *A, floating *D, Py_ssize_t size
) noexcept nogil:
    """D (size,) <- D * f'(Z), told from the outputs A = f(Z) (size,) alone."""
    cdef floating one = 1, leak = <floating>LEAK
    cdef floating scale = <floating>SELU_SCALE, below = <floating>SELU_BELOW
    cdef Py_ssize_t i
    if f == LOGISTIC:
        for i in range(size):
            D[i] *= A[i] * (one - A[i])
    elif f == TANH:
        for i in range(size):
            D[i] *= one - A[i] * A[i]
    elif f == RELU:
        for i in range(size):
            D[i] = 0 if A[i] == 0 else D[i]
    elif f == LEAKY_RELU:
        for i in range(size):
            D[i] *= leak if A[i] < 0 else one
    elif f == ELU:
        for i in range(size):
            D[i] *= A[i] + one if A[i] < 0 else one
    elif f == SELU:
        for i in range(size):
            D[i] *= A[i] + below if A[i] < 0 else scale


cdef inline void activate_keeping_derivative(
    Activation f, floating *Z, floating *slopes, Py_ssize_t size
) noexcept nogil:
    """A = f(Z) in place, Z (size,); slopes (size,) <- f'(Z)."""
    cdef Py_ssize_t i
    if f == SOFTPLUS:
        for i in range(size):
            Z[i] = softplus(Z[i], &slopes[i])
    elif f == GELU:
        for i in range(size):
            Z[i] = gelu(Z[i], &slopes[i])
    elif f == SILU:
        for i in range(size):
            Z[i] = silu(Z[i], &slopes[i])
    elif f == MISH:
        for i in range(size):
            Z[i] = mish(Z[i], &slopes[i])
    else:
        activate(f, Z, size)
        for i in range(size):
            slopes[i] = 1
        multiply_derivative(f, Z, slopes, size)
