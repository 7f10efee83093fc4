// Kernels that move values without arithmetic: gather, join, repack.
#ifndef GATEWRIGHT_MOVEMENT_H_
#define GATEWRIGHT_MOVEMENT_H_

#include "gatewright_arithmetic.h"

namespace gatewright {

// How a gather addresses its input.
//   in_order: whole beats whose indices never fall back: nothing is stored but the current beat (pad, slice, broadcast)
//   beats:    whole beats in any order (resize, flips): the tensor is stored once
//   elements: single elements in any order (transposes): the tensor is stored once
enum class Access { in_order, beats, elements };

// res[i] = source[i] < 0 ? fill : data[source[i]]: transposes, slices, constant padding, nearest-neighbour resizing and
// broadcasting, with the source of every element worked out by the compiler.
template <class data_T, class res_T, class CONFIG_T>
void gather(hls::stream<data_T> &data, hls::stream<res_T> &res, typename CONFIG_T::source_t source[CONFIG_T::n_source]) {
    constexpr bool stores = CONFIG_T::access != Access::in_order;
    data_T stored[stores ? CONFIG_T::in_beats : 1];
    data_T current = data.read();
    int current_beat = 0;
    stored[0] = current;
Read:
    for (int b = 1; stores && b < CONFIG_T::in_beats; b++) {
        #pragma HLS PIPELINE II=1
        stored[stores ? b : 0] = data.read();
    }
Beats:
    for (int b = 0; b < CONFIG_T::out_beats; b++) {
        res_T out;
        PRAGMA_DATA_PACK(out)
        if (CONFIG_T::access == Access::elements) {
        Elements:
            for (int c = 0; c < CONFIG_T::out_chan; c++) {
                #pragma HLS PIPELINE II=1
                const int i = int(source[b * CONFIG_T::out_chan + c]);
                if (i < 0)
                    out[c] = FromMantissa<typename res_T::value_type>::make(ap_int<40>(CONFIG_T::fill));
                else
                    out[c] = FromMantissa<typename res_T::value_type>::make(
                        mantissa(stored[stores ? i / CONFIG_T::in_chan : 0][i % CONFIG_T::in_chan]));
            }
        } else {
            const int i = int(source[b]);
        Skip:
            while (!stores && current_beat < i) {
                #pragma HLS PIPELINE II=1
                current = data.read();
                current_beat++;
            }
        Copy:
            for (int c = 0; c < CONFIG_T::out_chan; c++) {
                #pragma HLS UNROLL
                if (i < 0)
                    out[c] = FromMantissa<typename res_T::value_type>::make(ap_int<40>(CONFIG_T::fill));
                else
                    out[c] = FromMantissa<typename res_T::value_type>::make(mantissa(stores ? stored[stores ? i : 0][c] : current[c]));
            }
        }
        res.write(out);
    }
Rest: // beats no result wants
    for (; !stores && current_beat < CONFIG_T::in_beats - 1; current_beat++) {
        #pragma HLS PIPELINE II=1
        data.read();
    }
}

template <class data_T, class res_T, class CONFIG_T>
void gather(data_T data[CONFIG_T::in_beats * CONFIG_T::in_chan], res_T res[CONFIG_T::out_beats * CONFIG_T::out_chan],
            typename CONFIG_T::source_t source[CONFIG_T::n_source]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Elements:
    for (int e = 0; e < CONFIG_T::out_beats * CONFIG_T::out_chan; e++) {
        const int i = int(source[e]);
        if (i < 0)
            res[e] = FromMantissa<res_T>::make(ap_int<40>(CONFIG_T::fill));
        else
            res[e] = FromMantissa<res_T>::make(mantissa(data[i]));
    }
}

// Concatenation of two tensors: `outer` times a_length elements of a, then b_length elements of b. In a stream the
// lengths are whole beats, or (channels) one beat of each makes one beat of the result.
template <class a_T, class b_T, class res_T, class CONFIG_T>
void join(hls::stream<a_T> &a, hls::stream<b_T> &b, hls::stream<res_T> &res) {
    constexpr int a_beats = CONFIG_T::a_length / a_T::size;
    constexpr int b_beats = CONFIG_T::b_length / b_T::size;
Outer:
    for (int o = 0; o < CONFIG_T::outer; o++) {
        if (CONFIG_T::channels) {
            #pragma HLS PIPELINE II=1
            a_T left = a.read();
            b_T right = b.read();
            res_T out;
            PRAGMA_DATA_PACK(out)
        Channels:
            for (int c = 0; c < res_T::size; c++) {
                #pragma HLS UNROLL
                if (c < a_T::size)
                    out[c] = FromMantissa<typename res_T::value_type>::make(mantissa(left[c < a_T::size ? c : 0]));
                else
                    out[c] = FromMantissa<typename res_T::value_type>::make(mantissa(right[c < a_T::size ? 0 : c - a_T::size]));
            }
            res.write(out);
        } else {
        Beats:
            for (int i = 0; i < a_beats + b_beats; i++) {
                #pragma HLS PIPELINE II=1
                res_T out;
                PRAGMA_DATA_PACK(out)
                if (i < a_beats) {
                    a_T left = a.read();
                CopyA:
                    for (int c = 0; c < a_T::size; c++) {
                        #pragma HLS UNROLL
                        out[c] = FromMantissa<typename res_T::value_type>::make(mantissa(left[c]));
                    }
                } else {
                    b_T right = b.read();
                CopyB:
                    for (int c = 0; c < b_T::size; c++) {
                        #pragma HLS UNROLL
                        out[c] = FromMantissa<typename res_T::value_type>::make(mantissa(right[c]));
                    }
                }
                res.write(out);
            }
        }
    }
}

template <class a_T, class b_T, class res_T, class CONFIG_T>
void join(a_T a[CONFIG_T::outer * CONFIG_T::a_length], b_T b[CONFIG_T::outer * CONFIG_T::b_length],
          res_T res[CONFIG_T::outer * (CONFIG_T::a_length + CONFIG_T::b_length)]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
    constexpr int length = CONFIG_T::a_length + CONFIG_T::b_length;
Outer:
    for (int o = 0; o < CONFIG_T::outer; o++) {
    Elements:
        for (int i = 0; i < length; i++) {
            if (i < CONFIG_T::a_length)
                res[o * length + i] = FromMantissa<res_T>::make(mantissa(a[o * CONFIG_T::a_length + i]));
            else
                res[o * length + i] =
                    FromMantissa<res_T>::make(mantissa(b[o * CONFIG_T::b_length + i - CONFIG_T::a_length]));
        }
    }
}

// Same elements in the same order, other beats.
template <class data_T, class res_T, class CONFIG_T> void repack(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    data_T in;
    res_T out;
    PRAGMA_DATA_PACK(out)
Elements:
    for (int i = 0; i < CONFIG_T::n_elements; i++) {
        #pragma HLS PIPELINE II=1
        if (i % data_T::size == 0)
            in = data.read();
        out[i % res_T::size] = in[i % data_T::size];
        if (i % res_T::size == res_T::size - 1)
            res.write(out);
    }
}

template <class data_T, class res_T, class CONFIG_T>
void repack(data_T data[CONFIG_T::n_elements], res_T res[CONFIG_T::n_elements]) {
    #pragma HLS PIPELINE II=CONFIG_T::reuse_factor
Elements:
    for (int i = 0; i < CONFIG_T::n_elements; i++) {
        res[i] = data[i];
    }
}

} // namespace gatewright

#endif
