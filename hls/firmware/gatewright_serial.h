// Serial kernels for streams: depthwise and pointwise convolution and the average over the image, requantized.
//
// One beat of a stream holds all channels of a pixel. hls4ml's kernels spread the whole window and all accumulators over
// registers and select among them; here a few channels a cycle are worked off, so that windows, weights and
// requantization parameters are words of memories and one set of multipliers serves all channels. All loop nests are
// perfect and start a turn every cycle: a window takes reuse_factor cycles.
#ifndef GATEWRIGHT_SERIAL_H_
#define GATEWRIGHT_SERIAL_H_

#include "gatewright_arithmetic.h"

namespace gatewright {

// Depthwise convolution with any kernel, stride, padding and dilation.
//
// CONFIG_T: n_chan, kernel_*, stride_*, dilation_*, pad_top, pad_left, in_*, padded_* (image with padding on all sides);
// reuse_factor divides n_chan: so many groups of channels, one a cycle. Parameters are in the order of channels; weight:
// kernel_height x kernel_width of every channel.
template <class data_T, class res_T, class CONFIG_T>
void depthwise(hls::stream<data_T> &data, hls::stream<res_T> &res,
               typename CONFIG_T::weight_t weight[CONFIG_T::n_chan * CONFIG_T::kernel_height * CONFIG_T::kernel_width],
               typename CONFIG_T::bias_t bias[CONFIG_T::n_chan],
               typename CONFIG_T::multiplier_t multiplier[CONFIG_T::n_chan],
               typename CONFIG_T::shift_t shift[CONFIG_T::n_chan]) {
    typedef typename data_T::value_type element_t;
    typedef typename CONFIG_T::accum_t accum_t;
    constexpr int groups = CONFIG_T::reuse_factor;
    constexpr int parallel = CONFIG_T::n_chan / groups; // channels a cycle
    constexpr int height = CONFIG_T::kernel_height;
    constexpr int width = CONFIG_T::kernel_width;
    constexpr int taps = height * width;
    constexpr int span_y = (height - 1) * CONFIG_T::dilation_height + 1;
    constexpr int span_x = (width - 1) * CONFIG_T::dilation_width + 1;
    constexpr int word = taps * parallel;
    #pragma HLS ARRAY_RESHAPE variable=weight cyclic factor=word
    #pragma HLS ARRAY_RESHAPE variable=bias cyclic factor=parallel
    #pragma HLS ARRAY_RESHAPE variable=multiplier cyclic factor=parallel
    #pragma HLS ARRAY_RESHAPE variable=shift cyclic factor=parallel

    // The last span_y - 1 rows of the image, oldest first; the same word comes again a row later.
    constexpr int rows_kept = span_y > 1 ? span_y - 1 : 1; // no array is empty
    constexpr int row_distance = CONFIG_T::padded_width * groups;
    static element_t above[CONFIG_T::padded_width][groups][rows_kept][parallel];
    #pragma HLS ARRAY_RESHAPE variable=above complete dim=3
    #pragma HLS ARRAY_RESHAPE variable=above complete dim=4
    #pragma HLS DEPENDENCE variable=above inter true distance=row_distance

    // The last span_x - 1 columns of the kernel's rows, oldest first; the same word comes again a pixel later.
    // Rows and columns of an earlier image or row stay in both until they are shifted out: no complete window meets them.
    constexpr int columns_kept = span_x > 1 ? span_x - 1 : 1;
    static element_t left[groups][height][columns_kept][parallel];
    #pragma HLS ARRAY_RESHAPE variable=left complete dim=2
    #pragma HLS ARRAY_RESHAPE variable=left complete dim=3
    #pragma HLS ARRAY_RESHAPE variable=left complete dim=4
    #pragma HLS DEPENDENCE variable=left inter true distance=groups

    data_T in;
    res_T out;
    PRAGMA_DATA_PACK(out)
Rows:
    for (int y = 0; y < CONFIG_T::padded_height; y++) {
    Columns:
        for (int x = 0; x < CONFIG_T::padded_width; x++) {
        Groups:
            for (int g = 0; g < groups; g++) {
                #pragma HLS PIPELINE II=1
                const int image_y = y - CONFIG_T::pad_top;
                const int image_x = x - CONFIG_T::pad_left;
                const bool inside = image_y >= 0 && image_y < CONFIG_T::in_height && image_x >= 0 && image_x < CONFIG_T::in_width;
                const bool complete = y >= span_y - 1 && (y - span_y + 1) % CONFIG_T::stride_height == 0 &&
                                      x >= span_x - 1 && (x - span_x + 1) % CONFIG_T::stride_width == 0;
                if (inside && g == 0)
                    in = data.read();
            Channels:
                for (int p = 0; p < parallel; p++) {
                    #pragma HLS UNROLL
                    const int c = g * parallel + p;
                    const element_t fresh = inside ? element_t(in[c]) : element_t(0); // padding is 0: q - z where q = z
                    element_t column[height];                                         // of the window, newest
                ColumnRows:
                    for (int u = 0; u < height; u++) {
                        #pragma HLS UNROLL
                        column[u] = u == height - 1 ? fresh : above[x][g][u * CONFIG_T::dilation_height % rows_kept][p];
                    }
                    accum_t acc = bias[c];
                KernelRows:
                    for (int u = 0; u < height; u++) {
                        #pragma HLS UNROLL
                    KernelColumns:
                        for (int v = 0; v < width; v++) {
                            #pragma HLS UNROLL
                            const element_t element =
                                v == width - 1 ? column[u] : left[g][u][v * CONFIG_T::dilation_width % columns_kept][p];
                            acc += mantissa(element) * weight[c * taps + u * width + v];
                        }
                    }
                    if (complete)
                        out[c] = finish<typename res_T::value_type, CONFIG_T>(acc * multiplier[c], shift[c]);
                ShiftColumns:
                    for (int u = 0; u < height; u++) {
                        #pragma HLS UNROLL
                        for (int k = 0; k < columns_kept; k++) {
                            #pragma HLS UNROLL
                            left[g][u][k][p] = k == columns_kept - 1 ? column[u] : left[g][u][(k + 1) % columns_kept][p];
                        }
                    }
                ShiftRows:
                    for (int k = 0; k < rows_kept; k++) {
                        #pragma HLS UNROLL
                        above[x][g][k][p] = k == rows_kept - 1 ? fresh : above[x][g][(k + 1) % rows_kept][p];
                    }
                }
                if (complete && g == groups - 1)
                    res.write(out);
            }
        }
    }
}

// Pointwise convolution: one matrix product a beat.
//
// CONFIG_T: n_pixels, n_chan, n_filt; parallel_in inputs times parallel_out outputs a cycle, parallel_in = n_chan where
// parallel_out > 1. Parameters are in the order of outputs; weight: n_chan of every output.
template <class data_T, class res_T, class CONFIG_T>
void pointwise(hls::stream<data_T> &data, hls::stream<res_T> &res,
               typename CONFIG_T::weight_t weight[CONFIG_T::n_filt * CONFIG_T::n_chan],
               typename CONFIG_T::bias_t bias[CONFIG_T::n_filt],
               typename CONFIG_T::multiplier_t multiplier[CONFIG_T::n_filt],
               typename CONFIG_T::shift_t shift[CONFIG_T::n_filt]) {
    typedef typename CONFIG_T::accum_t accum_t;
    constexpr int parallel_in = CONFIG_T::parallel_in;
    constexpr int parallel_out = CONFIG_T::parallel_out;
    constexpr int word = parallel_in * parallel_out;
    #pragma HLS ARRAY_RESHAPE variable=weight cyclic factor=word
    #pragma HLS ARRAY_RESHAPE variable=bias cyclic factor=parallel_out
    #pragma HLS ARRAY_RESHAPE variable=multiplier cyclic factor=parallel_out
    #pragma HLS ARRAY_RESHAPE variable=shift cyclic factor=parallel_out

    accum_t acc[parallel_out];
    #pragma HLS ARRAY_PARTITION variable=acc complete
    data_T in;
    res_T out;
    PRAGMA_DATA_PACK(out)
Pixels:
    for (int pixel = 0; pixel < CONFIG_T::n_pixels; pixel++) {
    Outputs:
        for (int o = 0; o < CONFIG_T::n_filt; o += parallel_out) {
        Inputs:
            for (int i = 0; i < CONFIG_T::n_chan; i += parallel_in) {
                #pragma HLS PIPELINE II=1
                if (o == 0 && i == 0)
                    in = data.read();
            ParallelOutputs:
                for (int p = 0; p < parallel_out; p++) {
                    #pragma HLS UNROLL
                    const int c = o + p;
                    accum_t sum = i == 0 ? accum_t(bias[c]) : acc[p];
                ParallelInputs:
                    for (int k = 0; k < parallel_in; k++) {
                        #pragma HLS UNROLL
                        sum += mantissa(in[i + k]) * weight[c * CONFIG_T::n_chan + i + k];
                    }
                    acc[p] = sum;
                    if (i == CONFIG_T::n_chan - parallel_in)
                        out[c] = finish<typename res_T::value_type, CONFIG_T>(sum * multiplier[c], shift[c]);
                }
                if (o == CONFIG_T::n_filt - parallel_out && i == CONFIG_T::n_chan - parallel_in)
                    res.write(out);
            }
        }
    }
}

// Average over the whole image: a sum a channel, divided by a multiplication.
//
// CONFIG_T: n_pixels, n_chan; reuse_factor divides n_chan: so many groups of channels, one a cycle; multiplier, shift.
template <class data_T, class res_T, class CONFIG_T> void average(hls::stream<data_T> &data, hls::stream<res_T> &res) {
    typedef typename CONFIG_T::accum_t accum_t;
    constexpr int groups = CONFIG_T::reuse_factor;
    constexpr int parallel = CONFIG_T::n_chan / groups;
    accum_t sums[groups][parallel];
    #pragma HLS ARRAY_RESHAPE variable=sums complete dim=2
    #pragma HLS DEPENDENCE variable=sums inter true distance=groups
    data_T in;
    res_T out;
    PRAGMA_DATA_PACK(out)
Pixels:
    for (int pixel = 0; pixel < CONFIG_T::n_pixels; pixel++) {
    Groups:
        for (int g = 0; g < groups; g++) {
            #pragma HLS PIPELINE II=1
            if (g == 0)
                in = data.read();
        Channels:
            for (int p = 0; p < parallel; p++) {
                #pragma HLS UNROLL
                const int c = g * parallel + p;
                const accum_t sum = (pixel == 0 ? accum_t(0) : sums[g][p]) + mantissa(in[c]);
                sums[g][p] = sum;
                if (pixel == CONFIG_T::n_pixels - 1)
                    out[c] = finish<typename res_T::value_type, CONFIG_T>(
                        sum * typename CONFIG_T::multiplier_t(CONFIG_T::multiplier), CONFIG_T::shift);
            }
            if (pixel == CONFIG_T::n_pixels - 1 && g == groups - 1)
                res.write(out);
        }
    }
}

} // namespace gatewright

#endif
