"""Numbers of any type as those that the network computes with.

To add a type: an entry in ``NumberType`` and in the table below it, and a branch in ``convert``.
"""
from cython cimport floating
from libc.string cimport strchr

# The types that may be infinite or NaN are the first.
cdef enum NumberType:
    FLOAT64, FLOAT32, FLOAT16
    BOOL, INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64
    N_NUMBER_TYPES

cdef extern from *:
    """
    #include <string.h>

    typedef struct { const char *formats; int size; } cymlp_number_type;

    /* In the order of NumberType: the characters that a buffer's format may have, and the bytes of
       a number. C's long, l, has 4 bytes on some platforms and 8 on others. */
    static inline const cymlp_number_type *cymlp_number_type_entry(int number) {
        static const cymlp_number_type table[] = {
            {"d", 8}, {"f", 4}, {"e", 2},
            {"?", 1}, {"b", 1}, {"B", 1}, {"h", 2}, {"H", 2},
            {"il", 4}, {"IL", 4}, {"lq", 8}, {"LQ", 8}, {"", 0},
        };
        return &table[number];
    }

    /* The number whose half precision has these bits. Not by the CPU's own conversion, which some
       lack, nor by subnormal floats, which training takes for 0; all choices are selects, of which
       compilers make vectors. */
    static inline float cymlp_from_half(unsigned short half) {
        const unsigned int magnitude = half & 0x7fffu;
        const float subnormal = (float)(int)magnitude * 5.9604644775390625e-8f;   /* 2^-24 */
        unsigned int bits, small;
        float number;
        memcpy(&small, &subnormal, sizeof small);
        bits = (magnitude << 13) + (magnitude < 0x7c00u ? 112u << 23 : 224u << 23);
        bits = magnitude < 0x0400u ? small : bits;
        bits |= (half & 0x8000u) << 16;
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    """
    ctypedef struct number_type_entry_t "cymlp_number_type":
        const char *formats
        int size
    const number_type_entry_t *number_type_entry "cymlp_number_type_entry"(
        int number
    ) noexcept nogil
    float from_half "cymlp_from_half"(unsigned short half) noexcept nogil

ctypedef fused number_t:
    double
    float
    signed char
    unsigned char
    short
    unsigned short
    int
    unsigned int
    long long
    unsigned long long


cdef inline NumberType number_type(const char *format, Py_ssize_t itemsize) noexcept nogil:
    """The type of a buffer's numbers; N_NUMBER_TYPES if it is none of these."""
    cdef int number
    cdef const number_type_entry_t *entry
    # A format of more than one character is one of another byte order, or no number's.
    if format[0] == 0 or format[1] != 0:
        return N_NUMBER_TYPES
    for number in range(<int>N_NUMBER_TYPES):
        entry = number_type_entry(number)
        if entry.size == itemsize and strchr(entry.formats, format[0]) != NULL:
            return <NumberType>number
    return N_NUMBER_TYPES


cdef inline bint may_be_infinite(NumberType number) noexcept nogil:
    """Whether a number of the type may be infinite or NaN."""
    return number <= FLOAT16


cdef inline void convert_numbers(
    const number_t *source, Py_ssize_t stride, Py_ssize_t n, floating *out
) noexcept nogil:
    """out (n,) <- n numbers, ``stride`` bytes apart."""
    cdef Py_ssize_t i
    if stride == sizeof(number_t):
        for i in range(n):
            out[i] = <floating>source[i]
    else:
        for i in range(n):
            out[i] = <floating>(<const number_t *>(<const char *>source + i * stride))[0]


cdef inline void convert_halves(
    const char *source, Py_ssize_t stride, Py_ssize_t n, floating *out
) noexcept nogil:
    """out (n,) <- n numbers of half precision, ``stride`` bytes apart."""
    cdef Py_ssize_t i
    if stride == sizeof(unsigned short):
        for i in range(n):
            out[i] = <floating>from_half((<const unsigned short *>source)[i])
    else:
        for i in range(n):
            out[i] = <floating>from_half((<const unsigned short *>(source + i * stride))[0])


cdef inline void convert_bools(
    const char *source, Py_ssize_t stride, Py_ssize_t n, floating *out
) noexcept nogil:
    """out (n,) <- 1 for each byte that is not 0, else 0; n bytes, ``stride`` apart."""
    cdef Py_ssize_t i
    if stride == 1:
        for i in range(n):
            out[i] = <floating>(source[i] != 0)
    else:
        for i in range(n):
            out[i] = <floating>(source[i * stride] != 0)


cdef inline void convert(
    NumberType number, const char *source, Py_ssize_t stride, Py_ssize_t n, floating *out
) noexcept nogil:
    """out (n,) <- n numbers of this type, ``stride`` bytes apart, each of them aligned."""
    if number == FLOAT64:
        convert_numbers(<const double *>source, stride, n, out)
    elif number == FLOAT32:
        convert_numbers(<const float *>source, stride, n, out)
    elif number == FLOAT16:
        convert_halves(source, stride, n, out)
    elif number == BOOL:
        convert_bools(source, stride, n, out)
    elif number == INT8:
        convert_numbers(<const signed char *>source, stride, n, out)
    elif number == UINT8:
        convert_numbers(<const unsigned char *>source, stride, n, out)
    elif number == INT16:
        convert_numbers(<const short *>source, stride, n, out)
    elif number == UINT16:
        convert_numbers(<const unsigned short *>source, stride, n, out)
    elif number == INT32:
        convert_numbers(<const int *>source, stride, n, out)
    elif number == UINT32:
        convert_numbers(<const unsigned int *>source, stride, n, out)
    elif number == INT64:
        convert_numbers(<const long long *>source, stride, n, out)
    else:
        convert_numbers(<const unsigned long long *>source, stride, n, out)
