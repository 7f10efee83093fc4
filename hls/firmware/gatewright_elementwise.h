// Element-by-element kernels: requantize, rescale, affine, table, weighted_sum, multiply.
//
// CONFIG_T of all of them: n_pixels beats of n_chan elements; reuse_factor: initiation interval of a beat, so that
// n_chan / reuse_factor arithmetic units do the work.
#ifndef GATEWRIGHT_ELEMENTWISE_H_
#define GATEWRIGHT_ELEMENTWISE_H_

#include "gatewright_arithmetic.h"

namespace gatewright {

// Which multiplier an element takes: its channel's, or its pixel's (pools that divide by the number of positions inside
// the image). One for the whole tensor is a constant: `rescale`.
enum class Index { channel, pixel };

template <class CONFIG_T> inline unsigned parameter(unsigned pixel, unsigned channel) {
    #pragma HLS INLINE
    return CONFIG_T::index == Index::channel ? channel : pixel;
}

// ---- one element --------------------------------------------------------------------------------------------------

// y = clamp((x * M + half) >> n)
template <class in_T, class out_T, class CONFIG_T>
inline out_T requantize_element(const in_T &x, const typename CONFIG_T::multiplier_t &multiplier,
                                const typename CONFIG_T::shift_t &shift) {
    #pragma HLS INLINE
    return finish<out_T, CONFIG_T>(mantissa(x) * multiplier, shift);
}

// y = clamp(((x - zero_point) * M + half) >> n), M and n constants
template <class in_T, class out_T, class CONFIG_T> inline out_T rescale_element(const in_T &x) {
    #pragma HLS INLINE
    const typename CONFIG_T::centred_t centred = mantissa(x) - CONFIG_T::zero_point;
    return finish<out_T, CONFIG_T>(centred * typename CONFIG_T::multiplier_t(CONFIG_T::multiplier), CONFIG_T::shift);
}

// y = a * M_a + b * M_b, requantized in the last link of a chain of sums
template <class a_T, class b_T, class out_T, class CONFIG_T> inline out_T sum_element(const a_T &a, const b_T &b) {
    #pragma HLS INLINE
    typedef typename CONFIG_T::multiplier_t multiplier_t;
    const typename CONFIG_T::product_t sum =
        mantissa(a) * multiplier_t(CONFIG_T::multiplier_a) + mantissa(b) * multiplier_t(CONFIG_T::multiplier_b);
    if (CONFIG_T::last)
        return finish<out_T, CONFIG_T>(sum, CONFIG_T::shift);
    return FromMantissa<out_T>::make(sum);
}

// y = clamp((a * b * M + half) >> n)
template <class a_T, class b_T, class out_T, class CONFIG_T> inline out_T multiply_element(const a_T &a, const b_T &b) {
    #pragma HLS INLINE
    typedef typename CONFIG_T::multiplier_t multiplier_t;
    return finish<out_T, CONFIG_T>(mantissa(a) * mantissa(b) * multiplier_t(CONFIG_T::multiplier), CONFIG_T::shift);
}

// ---- io_stream ----------------------------------------------------------------------------------------------------

template <class data_T, class res_T, class CONFIG_T>
void requantize(hls::stream<data_T> &data, hls::stream<res_T> &res,
                typename CONFIG_T::multiplier_t multiplier[CONFIG_T::n_parameters],
                typename CONFIG_T::shift_t shift[CONFIG_T::n_parameters]) {
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
        data_T in = data.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            const unsigned i = parameter<CONFIG_T>(p, c);
            out[c] = requantize_element<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(
                in[c], multiplier[i], shift[i]);
        }
        res.write(out);
    }
}

template <class data_T, class res_T, class CONFIG_T> void rescale(hls::stream<data_T> &data, hls::stream<res_T> &res) {
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
        data_T in = data.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            out[c] = rescale_element<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(in[c]);
        }
        res.write(out);
    }
}

// y = x * weight[channel] + bias[channel], exact: a depthwise 1x1 convolution before its requantization
template <class data_T, class res_T, class CONFIG_T>
void affine(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::weight_t weight[CONFIG_T::n_chan],
            typename CONFIG_T::bias_t bias[CONFIG_T::n_chan]) {
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
        data_T in = data.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            out[c] = FromMantissa<typename res_T::value_type>::make(mantissa(in[c]) * weight[c] + bias[c]);
        }
        res.write(out);
    }
}

// y = entries[x - low]
template <class data_T, class res_T, class CONFIG_T>
void table(hls::stream<data_T> &data, hls::stream<res_T> &res,
           typename CONFIG_T::entries_t entries[CONFIG_T::n_entries]) {
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
        data_T in = data.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            const unsigned i = unsigned(int(mantissa(in[c])) - CONFIG_T::low);
            out[c] = FromMantissa<typename res_T::value_type>::make(entries[i]);
        }
        res.write(out);
    }
}

template <class a_T, class b_T, class res_T, class CONFIG_T>
void weighted_sum(hls::stream<a_T> &a, hls::stream<b_T> &b, hls::stream<res_T> &res) {
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
        a_T left = a.read();
        b_T right = b.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            out[c] = sum_element<typename a_T::value_type, typename b_T::value_type, typename res_T::value_type, CONFIG_T>(
                left[c], right[c]);
        }
        res.write(out);
    }
}

template <class a_T, class b_T, class res_T, class CONFIG_T>
void multiply(hls::stream<a_T> &a, hls::stream<b_T> &b, hls::stream<res_T> &res) {
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
        a_T left = a.read();
        b_T right = b.read();
        res_T out;
        PRAGMA_DATA_PACK(out)
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            out[c] =
                multiply_element<typename a_T::value_type, typename b_T::value_type, typename res_T::value_type, CONFIG_T>(
                    left[c], right[c]);
        }
        res.write(out);
    }
}

// ---- io_parallel --------------------------------------------------------------------------------------------------

template <class data_T, class res_T, class CONFIG_T>
void requantize(data_T data[CONFIG_T::n_pixels * CONFIG_T::n_chan], res_T res[CONFIG_T::n_pixels * CONFIG_T::n_chan],
                typename CONFIG_T::multiplier_t multiplier[CONFIG_T::n_parameters],
                typename CONFIG_T::shift_t shift[CONFIG_T::n_parameters]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            const unsigned i = parameter<CONFIG_T>(p, c);
            res[p * CONFIG_T::n_chan + c] =
                requantize_element<data_T, res_T, CONFIG_T>(data[p * CONFIG_T::n_chan + c], multiplier[i], shift[i]);
        }
    }
}

template <class data_T, class res_T, class CONFIG_T>
void rescale(data_T data[CONFIG_T::n_pixels * CONFIG_T::n_chan], res_T res[CONFIG_T::n_pixels * CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Elements:
    for (unsigned i = 0; i < CONFIG_T::n_pixels * CONFIG_T::n_chan; i++) {
        res[i] = rescale_element<data_T, res_T, CONFIG_T>(data[i]);
    }
}

template <class data_T, class res_T, class CONFIG_T>
void affine(data_T data[CONFIG_T::n_pixels * CONFIG_T::n_chan], res_T res[CONFIG_T::n_pixels * CONFIG_T::n_chan],
            typename CONFIG_T::weight_t weight[CONFIG_T::n_chan], typename CONFIG_T::bias_t bias[CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Pixels:
    for (unsigned p = 0; p < CONFIG_T::n_pixels; p++) {
    Channels:
        for (unsigned c = 0; c < CONFIG_T::n_chan; c++) {
            const unsigned i = p * CONFIG_T::n_chan + c;
            res[i] = FromMantissa<res_T>::make(mantissa(data[i]) * weight[c] + bias[c]);
        }
    }
}

template <class data_T, class res_T, class CONFIG_T>
void table(data_T data[CONFIG_T::n_pixels * CONFIG_T::n_chan], res_T res[CONFIG_T::n_pixels * CONFIG_T::n_chan],
           typename CONFIG_T::entries_t entries[CONFIG_T::n_entries]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Elements:
    for (unsigned i = 0; i < CONFIG_T::n_pixels * CONFIG_T::n_chan; i++) {
        res[i] = FromMantissa<res_T>::make(entries[unsigned(int(mantissa(data[i])) - CONFIG_T::low)]);
    }
}

template <class a_T, class b_T, class res_T, class CONFIG_T>
void weighted_sum(a_T a[CONFIG_T::n_pixels * CONFIG_T::n_chan], b_T b[CONFIG_T::n_pixels * CONFIG_T::n_chan],
                  res_T res[CONFIG_T::n_pixels * CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Elements:
    for (unsigned i = 0; i < CONFIG_T::n_pixels * CONFIG_T::n_chan; i++) {
        res[i] = sum_element<a_T, b_T, res_T, CONFIG_T>(a[i], b[i]);
    }
}

template <class a_T, class b_T, class res_T, class CONFIG_T>
void multiply(a_T a[CONFIG_T::n_pixels * CONFIG_T::n_chan], b_T b[CONFIG_T::n_pixels * CONFIG_T::n_chan],
              res_T res[CONFIG_T::n_pixels * CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Elements:
    for (unsigned i = 0; i < CONFIG_T::n_pixels * CONFIG_T::n_chan; i++) {
        res[i] = multiply_element<a_T, b_T, res_T, CONFIG_T>(a[i], b[i]);
    }
}

} // namespace gatewright

#endif
