// Serial convolution for streams: any kernel, stride, padding and dilation, with its requantization.
//
// As the kernels of gatewright_serial.h it works a beat off a few channels a cycle; rows and windows are words of
// memories. A pixel that completes no window takes one turn a group of channels, a pixel that does reuse_factor turns.
#ifndef GATEWRIGHT_CONVOLUTION_H_
#define GATEWRIGHT_CONVOLUTION_H_

#include "gatewright_arithmetic.h"

namespace gatewright {

// CONFIG_T: as of `depthwise`, and n_filt; parallel_in channels times parallel_out outputs a cycle, parallel_in = n_chan
// where parallel_out > 1. Parameters are in the order of outputs; weight: kernel_height x kernel_width of every channel
// of every output.
template <class data_T, class res_T, class CONFIG_T>
void convolution(hls::stream<data_T> &data, hls::stream<res_T> &res,
                 typename CONFIG_T::weight_t
                     weight[CONFIG_T::n_filt * CONFIG_T::n_chan * CONFIG_T::kernel_height * CONFIG_T::kernel_width],
                 typename CONFIG_T::bias_t bias[CONFIG_T::n_filt],
                 typename CONFIG_T::multiplier_t multiplier[CONFIG_T::n_filt],
                 typename CONFIG_T::shift_t shift[CONFIG_T::n_filt]) {
    typedef typename data_T::value_type element_t;
    typedef typename CONFIG_T::accum_t accum_t;
    constexpr int parallel = CONFIG_T::parallel_in;
    constexpr int parallel_out = CONFIG_T::parallel_out;
    constexpr int groups = CONFIG_T::n_chan / parallel;
    constexpr int height = CONFIG_T::kernel_height;
    constexpr int width = CONFIG_T::kernel_width;
    constexpr int taps = height * width;
    constexpr int span_y = (height - 1) * CONFIG_T::dilation_height + 1;
    constexpr int span_x = (width - 1) * CONFIG_T::dilation_width + 1;
    constexpr int word = taps * parallel * parallel_out;
    #pragma HLS ARRAY_RESHAPE variable=weight cyclic factor=word
    #pragma HLS ARRAY_RESHAPE variable=bias cyclic factor=parallel_out
    #pragma HLS ARRAY_RESHAPE variable=multiplier cyclic factor=parallel_out
    #pragma HLS ARRAY_RESHAPE variable=shift cyclic factor=parallel_out

    // The last span_y - 1 rows of the image, oldest first; the same word comes again a row later, or after more turns.
    constexpr int rows_kept = span_y > 1 ? span_y - 1 : 1; // no array is empty
    constexpr int row_distance = CONFIG_T::padded_width * groups;
    static element_t above[CONFIG_T::padded_width][groups][rows_kept][parallel];
    #pragma HLS ARRAY_RESHAPE variable=above complete dim=3
    #pragma HLS ARRAY_RESHAPE variable=above complete dim=4
    #pragma HLS DEPENDENCE variable=above inter true distance=row_distance

    // The last span_x columns of the kernel's rows, oldest first; the same word comes again `groups` turns later.
    // Rows and columns of an earlier image or row stay in both until they are shifted out: no complete window meets them.
    static element_t window[groups][height][span_x][parallel];
    #pragma HLS ARRAY_RESHAPE variable=window complete dim=2
    #pragma HLS ARRAY_RESHAPE variable=window complete dim=3
    #pragma HLS ARRAY_RESHAPE variable=window complete dim=4
    #pragma HLS DEPENDENCE variable=window inter true distance=groups

    accum_t acc[parallel_out];
    #pragma HLS ARRAY_PARTITION variable=acc complete
    data_T in;
    res_T out;
    PRAGMA_DATA_PACK(out)
Rows:
    for (int y = 0; y < CONFIG_T::padded_height; y++) {
    Columns:
        for (int x = 0; x < CONFIG_T::padded_width; x++) {
            const int image_y = y - CONFIG_T::pad_top;
            const int image_x = x - CONFIG_T::pad_left;
            const bool inside = image_y >= 0 && image_y < CONFIG_T::in_height && image_x >= 0 && image_x < CONFIG_T::in_width;
            const bool complete = y >= span_y - 1 && (y - span_y + 1) % CONFIG_T::stride_height == 0 &&
                                  x >= span_x - 1 && (x - span_x + 1) % CONFIG_T::stride_width == 0;
            const int outputs = complete ? CONFIG_T::n_filt : parallel_out; // the first turns shift the window
        Outputs:
            for (int o = 0; o < outputs; o += parallel_out) {
            Groups:
                for (int g = 0; g < groups; g++) {
                    #pragma HLS PIPELINE II=1
                    if (inside && o == 0 && g == 0)
                        in = data.read();
                    element_t current[height][span_x][parallel];
                    #pragma HLS ARRAY_PARTITION variable=current complete dim=0
                Channels:
                    for (int p = 0; p < parallel; p++) {
                        #pragma HLS UNROLL
                        const element_t fresh = inside ? element_t(in[g * parallel + p]) : element_t(0); // padding: q = z
                    WindowRows:
                        for (int u = 0; u < height; u++) {
                            #pragma HLS UNROLL
                            const element_t newest =
                                u == height - 1 ? fresh : above[x][g][u * CONFIG_T::dilation_height % rows_kept][p];
                        WindowColumns:
                            for (int k = 0; k < span_x; k++) {
                                #pragma HLS UNROLL
                                if (o > 0)
                                    current[u][k][p] = window[g][u][k][p];
                                else
                                    current[u][k][p] = k == span_x - 1 ? newest : window[g][u][(k + 1) % span_x][p];
                            }
                        }
                        if (o == 0) {
                        Shift:
                            for (int k = 0; k < rows_kept; k++) {
                                #pragma HLS UNROLL
                                above[x][g][k][p] = k == rows_kept - 1 ? fresh : above[x][g][(k + 1) % rows_kept][p];
                            }
                        Keep:
                            for (int i = 0; i < height * span_x; i++) {
                                #pragma HLS UNROLL
                                window[g][i / span_x][i % span_x][p] = current[i / span_x][i % span_x][p];
                            }
                        }
                    }
                ParallelOutputs:
                    for (int q = 0; q < parallel_out; q++) {
                        #pragma HLS UNROLL
                        const int c = o + q;
                        accum_t sum = g == 0 ? accum_t(bias[c]) : acc[q];
                    Products:
                        for (int i = 0; i < parallel * taps; i++) {
                            #pragma HLS UNROLL
                            const int p = i / taps, u = i % taps / width, v = i % width;
                            sum += mantissa(current[u][v * CONFIG_T::dilation_width][p]) *
                                   weight[(c * CONFIG_T::n_chan + g * parallel) * taps + i];
                        }
                        acc[q] = sum;
                        if (complete && g == groups - 1)
                            out[c] = finish<typename res_T::value_type, CONFIG_T>(sum * multiplier[c], shift[c]);
                    }
                    if (complete && o == CONFIG_T::n_filt - parallel_out && g == groups - 1)
                        res.write(out);
                }
            }
        }
    }
}

} // namespace gatewright

#endif
