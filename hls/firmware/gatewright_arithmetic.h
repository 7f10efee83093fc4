// Integer arithmetic shared by gatewright's HLS kernels.
//
// Every tensor of a gatewright design carries the centred integer c = q - z (q: the quantized value, z: the zero
// point). Profile `scaled` stores it as ap_int / ap_uint; profile `fixed` stores the same bits as ap_fixed / ap_ufixed,
// whose binary point stands for the power-of-two scale. The kernels work on the bits: the mantissa.
#ifndef GATEWRIGHT_ARITHMETIC_H_
#define GATEWRIGHT_ARITHMETIC_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
#include "nnet_utils/nnet_common.h"
#include "nnet_utils/nnet_types.h"

namespace gatewright {

// ---- mantissa(x): the integer stored in x -------------------------------------------------------------------------

template <int W> inline ap_int<W> mantissa(const ap_int<W> &x) {
    #pragma HLS INLINE
    return x;
}

template <int W> inline ap_uint<W> mantissa(const ap_uint<W> &x) {
    #pragma HLS INLINE
    return x;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
inline ap_int<W> mantissa(const ap_fixed<W, I, Q, O, N> &x) {
    #pragma HLS INLINE
    ap_int<W> bits;
    bits.range(W - 1, 0) = x.range(W - 1, 0);
    return bits;
}

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
inline ap_uint<W> mantissa(const ap_ufixed<W, I, Q, O, N> &x) {
    #pragma HLS INLINE
    ap_uint<W> bits;
    bits.range(W - 1, 0) = x.range(W - 1, 0);
    return bits;
}

// ---- FromMantissa<T>::make(v): the T that stores the integer v; v fits by the compiler's proof ----------------------

template <class T> struct FromMantissa;

template <int W> struct FromMantissa<ap_int<W>> {
    template <class V> static ap_int<W> make(const V &v) { return ap_int<W>(v); }
};

template <int W> struct FromMantissa<ap_uint<W>> {
    template <class V> static ap_uint<W> make(const V &v) { return ap_uint<W>(v); }
};

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct FromMantissa<ap_fixed<W, I, Q, O, N>> {
    template <class V> static ap_fixed<W, I, Q, O, N> make(const V &v) {
        ap_int<W> bits = v;
        ap_fixed<W, I, Q, O, N> x;
        x.range(W - 1, 0) = bits.range(W - 1, 0);
        return x;
    }
};

template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct FromMantissa<ap_ufixed<W, I, Q, O, N>> {
    template <class V> static ap_ufixed<W, I, Q, O, N> make(const V &v) {
        ap_uint<W> bits = v;
        ap_ufixed<W, I, Q, O, N> x;
        x.range(W - 1, 0) = bits.range(W - 1, 0);
        return x;
    }
};

// ---- requantization -----------------------------------------------------------------------------------------------

// clamp((product + half) >> shift), half = 2^(shift-1), 0 when shift = 0: round half up, one rounding, arithmetic
// shift. CONFIG_T::low/high are the clamp relative to the zero point; CONFIG_T::offset is 0, or the zero point where
// the tensor leaves the design and the port carries q itself.
template <class out_T, class CONFIG_T> inline out_T finish(typename CONFIG_T::product_t product, unsigned shift) {
    #pragma HLS INLINE
    const typename CONFIG_T::product_t half = (typename CONFIG_T::product_t(1) << shift) >> 1;
    typename CONFIG_T::product_t rounded = (product + half) >> shift;
    if (rounded < CONFIG_T::low)
        rounded = CONFIG_T::low;
    if (rounded > CONFIG_T::high)
        rounded = CONFIG_T::high;
    return FromMantissa<out_T>::make(rounded + CONFIG_T::offset);
}

} // namespace gatewright

#endif
