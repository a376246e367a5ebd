"""Activations of hidden layers, and their derivatives f'(Z).

To add one: an entry in ``Activation`` and in the table below it, a function of an element, and a
branch in ``activate``. Where the outputs A = f(Z) give the derivative, nothing but A is kept, and
there is a function of A for ``multiply_derivative``. Otherwise the function of Z computes the
derivative too, for ``activate_keeping_derivative``.

The choice of a variant stands outside the loops. Every loop lets NaN through, so that a diverging
fit shows itself.
"""
from cython cimport floating

from cymlp._engine.kernels.elementary cimport erf_, exp_, expm1_, log1p_, tanh_

cdef enum Activation:
    IDENTITY, LOGISTIC, TANH, RELU, LEAKY_RELU, ELU, SELU, GELU, SILU, MISH, SOFTPLUS
    N_ACTIVATIONS

# LEAK is the slope of leaky_relu below 0 of A. L. Maas et al., "Rectifier nonlinearities improve
# neural network acoustic models" (2013). SELU_SCALE is the scale of selu, SELU_BELOW its scale *
# alpha, from G. Klambauer et al., "Self-normalizing neural networks" (2017).
cdef extern from *:
    """
    typedef struct { const char *name; int needs_derivative; } cymlp_activation;

    /* In the order of Activation; whether f'(Z) has to be kept, as f(Z) does not give it, or not
       accurately. */
    static inline const cymlp_activation *cymlp_activation_entry(int f) {
        static const cymlp_activation table[] = {
            {"identity", 0}, {"logistic", 0}, {"tanh", 0}, {"relu", 0}, {"leaky_relu", 0},
            {"elu", 0}, {"selu", 0}, {"gelu", 1}, {"silu", 1}, {"mish", 1}, {"softplus", 1},
        };
        return &table[f];
    }
    #define CYMLP_LEAK 0.01
    #define CYMLP_SELU_SCALE 1.0507009873554804934193349852946
    #define CYMLP_SELU_BELOW 1.7580993408473768599402175208123
    #define CYMLP_SQRT_HALF 0.70710678118654752440
    #define CYMLP_NORMAL_DENSITY 0.39894228040143267794
    """
    ctypedef struct activation_t "cymlp_activation":
        const char *name
        bint needs_derivative
    const activation_t *activation_entry "cymlp_activation_entry"(int f) noexcept nogil
    const double LEAK "CYMLP_LEAK"
    const double SELU_SCALE "CYMLP_SELU_SCALE"
    const double SELU_BELOW "CYMLP_SELU_BELOW"
    const double SQRT_HALF "CYMLP_SQRT_HALF"
    const double NORMAL_DENSITY "CYMLP_NORMAL_DENSITY"


cdef inline floating logistic(floating z) noexcept nogil:
    """1 / (1 + e^-z); e^-z may overflow to inf, which gives 0 as it should."""
    cdef floating one = 1   # Cython's 1 is a double beside a float
    return one / (one + exp_(-z))


cdef inline floating logistic_delta(floating a, floating d) noexcept nogil:
    """d f'(z), from a = f(z)."""
    cdef floating one = 1
    return d * (a * (one - a))


cdef inline floating tanh_delta(floating a, floating d) noexcept nogil:
    """d f'(z), from a = f(z)."""
    cdef floating one = 1
    return d * (one - a * a)


cdef inline floating relu(floating z) noexcept nogil:
    """max(z, 0)."""
    return 0 if z < 0 else z


cdef inline floating relu_delta(floating a, floating d) noexcept nogil:
    """d f'(z), from a = f(z); f'(0) is 0."""
    return 0 if a == 0 else d


cdef inline floating leaky_relu(floating z) noexcept nogil:
    """z, but LEAK z below 0."""
    return <floating>LEAK * z if z < 0 else z


cdef inline floating leaky_relu_delta(floating a, floating d) noexcept nogil:
    """d f'(z), from a = f(z)."""
    cdef floating one = 1
    return d * (<floating>LEAK if a < 0 else one)


cdef inline floating elu(floating z) noexcept nogil:
    """z, but e^z - 1 below 0 (D. Clevert et al., 2015)."""
    return expm1_(z) if z < 0 else z


cdef inline floating elu_delta(floating a, floating d) noexcept nogil:
    """d f'(z), from a = f(z)."""
    cdef floating one = 1
    return d * (a + one if a < 0 else one)


cdef inline floating selu(floating z) noexcept nogil:
    """SELU_SCALE z, but SELU_BELOW (e^z - 1) below 0."""
    return <floating>SELU_BELOW * expm1_(z) if z < 0 else <floating>SELU_SCALE * z


cdef inline floating selu_delta(floating a, floating d) noexcept nogil:
    """d f'(z), from a = f(z)."""
    return d * (a + <floating>SELU_BELOW if a < 0 else <floating>SELU_SCALE)


cdef inline floating gelu(floating z, floating *derivative) noexcept nogil:
    """z Phi(z), Phi the normal distribution's (D. Hendrycks, K. Gimpel, 2016)."""
    cdef floating half = <floating>0.5, one = 1
    cdef floating phi = half * (one + erf_(<floating>SQRT_HALF * z))
    derivative[0] = phi + z * (<floating>NORMAL_DENSITY * exp_(-half * z * z))
    return z * phi


cdef inline floating silu(floating z, floating *derivative) noexcept nogil:
    """z / (1 + e^-z) (S. Elfwing et al., 2017)."""
    cdef floating one = 1, s = logistic(z)
    derivative[0] = s * (one + z * (one - s))
    return z * s


cdef inline floating mish(floating z, floating *derivative) noexcept nogil:
    """z tanh(log(1 + e^z)) (D. Misra, 2019), the tanh computed from u = e^-|z| alone."""
    cdef floating one = 1, two = 2, u = exp_(-z if z > 0 else z)
    cdef floating above = one + two * u, below = u * (u + two)
    cdef floating t = above / (above + two * u * u) if z > 0 else below / (below + two)
    derivative[0] = t + z * (one - t * t) * logistic(z)
    return z * t


cdef inline floating softplus(floating z, floating *derivative) noexcept nogil:
    """log(1 + e^z), without overflow."""
    cdef floating size = -z if z < 0 else z
    derivative[0] = logistic(z)
    return (z if z > 0 else 0) + log1p_(exp_(-size))


cdef inline bint needs_derivative(Activation f) noexcept nogil:
    """Whether f'(Z) has to be kept beside f(Z)."""
    return activation_entry(f).needs_derivative


cdef inline void activate(Activation f, floating *Z, Py_ssize_t size) noexcept nogil:
    """A = f(Z) in place, Z (size,)."""
    cdef floating _derivative
    cdef Py_ssize_t i
    if f == LOGISTIC:
        for i in range(size):
            Z[i] = logistic(Z[i])
    elif f == TANH:
        for i in range(size):
            Z[i] = tanh_(Z[i])
    elif f == RELU:
        for i in range(size):
            Z[i] = relu(Z[i])
    elif f == LEAKY_RELU:
        for i in range(size):
            Z[i] = leaky_relu(Z[i])
    elif f == ELU:
        for i in range(size):
            Z[i] = elu(Z[i])
    elif f == SELU:
        for i in range(size):
            Z[i] = selu(Z[i])
    elif f == SOFTPLUS:
        for i in range(size):
            Z[i] = softplus(Z[i], &_derivative)
    elif f == GELU:
        for i in range(size):
            Z[i] = gelu(Z[i], &_derivative)
    elif f == SILU:
        for i in range(size):
            Z[i] = silu(Z[i], &_derivative)
    elif f == MISH:
        for i in range(size):
            Z[i] = mish(Z[i], &_derivative)


cdef inline void multiply_derivative(
    Activation f, const floating *A, floating *D, Py_ssize_t size
) noexcept nogil:
    """D (size,) <- D * f'(Z), from the outputs A = f(Z) (size,) alone."""
    cdef Py_ssize_t i
    if f == LOGISTIC:
        for i in range(size):
            D[i] = logistic_delta(A[i], D[i])
    elif f == TANH:
        for i in range(size):
            D[i] = tanh_delta(A[i], D[i])
    elif f == RELU:
        for i in range(size):
            D[i] = relu_delta(A[i], D[i])
    elif f == LEAKY_RELU:
        for i in range(size):
            D[i] = leaky_relu_delta(A[i], D[i])
    elif f == ELU:
        for i in range(size):
            D[i] = elu_delta(A[i], D[i])
    elif f == SELU:
        for i in range(size):
            D[i] = selu_delta(A[i], D[i])


cdef inline void activate_keeping_derivative(
    Activation f, floating *Z, floating *F, Py_ssize_t size
) noexcept nogil:
    """A = f(Z) in place, Z (size,); F (size,) <- f'(Z)."""
    cdef Py_ssize_t i
    if f == SOFTPLUS:
        for i in range(size):
            Z[i] = softplus(Z[i], &F[i])
    elif f == GELU:
        for i in range(size):
            Z[i] = gelu(Z[i], &F[i])
    elif f == SILU:
        for i in range(size):
            Z[i] = silu(Z[i], &F[i])
    elif f == MISH:
        for i in range(size):
            Z[i] = mish(Z[i], &F[i])
    else:
        activate(f, Z, size)
        for i in range(size):
            F[i] = 1
        multiply_derivative(f, Z, F, size)
