// Maximum and sum over the whole image, and over windows with any stride, padding and dilation.
//
// hls4ml's pooling wants stride == kernel and no padding in streams, and its average truncates toward zero; here the
// sum leaves as it is and `requantize` divides with one rounding, half up.
#ifndef GATEWRIGHT_WINDOW_H_
#define GATEWRIGHT_WINDOW_H_

#include "gatewright_arithmetic.h"

namespace gatewright {

// One more element into the window. Padding is skipped: it is 0 in a sum and the least value in a maximum.
template <class CONFIG_T>
inline typename CONFIG_T::accum_t fold(const typename CONFIG_T::accum_t &acc, const typename CONFIG_T::accum_t &x) {
    #pragma HLS INLINE
    if (CONFIG_T::maximum)
        return x > acc ? x : acc;
    return acc + x;
}

// The window is the whole image: nothing is stored but one accumulator a channel.
template <class data_T, class res_T, class CONFIG_T> void reduce(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    typename CONFIG_T::accum_t acc[CONFIG_T::n_chan];
    #pragma HLS ARRAY_PARTITION variable=acc complete
Pixels:
    for (int p = 0; p < CONFIG_T::n_pixels; p++) {
        #pragma HLS PIPELINE II=1
        data_T in = data.read();
    Channels:
        for (int c = 0; c < CONFIG_T::n_chan; c++) {
            #pragma HLS UNROLL
            const typename CONFIG_T::accum_t before = p == 0 ? typename CONFIG_T::accum_t(CONFIG_T::start) : acc[c];
            acc[c] = fold<CONFIG_T>(before, mantissa(in[c]));
        }
    }
    res_T out;
    PRAGMA_DATA_PACK(out)
Write:
    for (int c = 0; c < CONFIG_T::n_chan; c++) {
        #pragma HLS UNROLL
        out[c] = FromMantissa<typename res_T::value_type>::make(acc[c]);
    }
    res.write(out);
}

template <class data_T, class res_T, class CONFIG_T>
void reduce(data_T data[CONFIG_T::n_pixels * CONFIG_T::n_chan], res_T res[CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Channels:
    for (int c = 0; c < CONFIG_T::n_chan; c++) {
        typename CONFIG_T::accum_t acc = CONFIG_T::start;
    Pixels:
        for (int p = 0; p < CONFIG_T::n_pixels; p++) {
            acc = fold<CONFIG_T>(acc, mantissa(data[p * CONFIG_T::n_chan + c]));
        }
        res[c] = FromMantissa<res_T>::make(acc);
    }
}

// io_stream: a ring of the last `span` rows; a row of results leaves as soon as the last row it needs has come.
template <class data_T, class res_T, class CONFIG_T> void window(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    constexpr int span = (CONFIG_T::kernel_height - 1) * CONFIG_T::dilation_height + 1;
    data_T rows[span][CONFIG_T::in_width];
    #pragma HLS ARRAY_PARTITION variable=rows complete dim=1
    int next_row = 0; // first row not read yet

OutputRows:
    for (int oy = 0; oy < CONFIG_T::out_height; oy++) {
        const int top = oy * CONFIG_T::stride_height - CONFIG_T::pad_top;
    ReadRows:
        while (next_row < CONFIG_T::in_height && next_row < top + span) {
        ReadRow:
            for (int x = 0; x < CONFIG_T::in_width; x++) {
                #pragma HLS PIPELINE II=1
                rows[next_row % span][x] = data.read();
            }
            next_row++;
        }
    OutputColumns:
        for (int ox = 0; ox < CONFIG_T::out_width; ox++) {
            const int left = ox * CONFIG_T::stride_width - CONFIG_T::pad_left;
            typename CONFIG_T::accum_t acc[CONFIG_T::n_chan];
            #pragma HLS ARRAY_PARTITION variable=acc complete
        Start:
            for (int c = 0; c < CONFIG_T::n_chan; c++) {
                #pragma HLS UNROLL
                acc[c] = CONFIG_T::start;
            }
        KernelRows:
            for (int u = 0; u < CONFIG_T::kernel_height; u++) {
            KernelColumns:
                for (int v = 0; v < CONFIG_T::kernel_width; v++) {
                    #pragma HLS PIPELINE II=1
                    const int y = top + u * CONFIG_T::dilation_height;
                    const int x = left + v * CONFIG_T::dilation_width;
                    if (y >= 0 && y < CONFIG_T::in_height && x >= 0 && x < CONFIG_T::in_width) {
                    Channels:
                        for (int c = 0; c < CONFIG_T::n_chan; c++) {
                            #pragma HLS UNROLL
                            acc[c] = fold<CONFIG_T>(acc[c], mantissa(rows[y % span][x][c]));
                        }
                    }
                }
            }
            res_T out;
            PRAGMA_DATA_PACK(out)
        Write:
            for (int c = 0; c < CONFIG_T::n_chan; c++) {
                #pragma HLS UNROLL
                out[c] = FromMantissa<typename res_T::value_type>::make(acc[c]);
            }
            res.write(out);
        }
    }
Rest: // rows below the last window
    for (int i = next_row * CONFIG_T::in_width; i < CONFIG_T::in_height * CONFIG_T::in_width; i++) {
        #pragma HLS PIPELINE II=1
        data.read();
    }
}

// io_parallel
template <class data_T, class res_T, class CONFIG_T>
void window(data_T data[CONFIG_T::in_height * CONFIG_T::in_width * CONFIG_T::n_chan],
            res_T res[CONFIG_T::out_height * CONFIG_T::out_width * CONFIG_T::n_chan]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
OutputRows:
    for (int oy = 0; oy < CONFIG_T::out_height; oy++) {
    OutputColumns:
        for (int ox = 0; ox < CONFIG_T::out_width; ox++) {
        Channels:
            for (int c = 0; c < CONFIG_T::n_chan; c++) {
                typename CONFIG_T::accum_t acc = CONFIG_T::start;
            KernelRows:
                for (int u = 0; u < CONFIG_T::kernel_height; u++) {
                KernelColumns:
                    for (int v = 0; v < CONFIG_T::kernel_width; v++) {
                        const int y = oy * CONFIG_T::stride_height - CONFIG_T::pad_top + u * CONFIG_T::dilation_height;
                        const int x = ox * CONFIG_T::stride_width - CONFIG_T::pad_left + v * CONFIG_T::dilation_width;
                        if (y >= 0 && y < CONFIG_T::in_height && x >= 0 && x < CONFIG_T::in_width)
                            acc = fold<CONFIG_T>(acc, mantissa(data[(y * CONFIG_T::in_width + x) * CONFIG_T::n_chan + c]));
                    }
                }
                res[(oy * CONFIG_T::out_width + ox) * CONFIG_T::n_chan + c] = FromMantissa<res_T>::make(acc);
            }
        }
    }
}

} // namespace gatewright

#endif
