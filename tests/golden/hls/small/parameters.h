#ifndef PARAMETERS_H_
#define PARAMETERS_H_

#include "ap_fixed.h"
#include "ap_int.h"

#include "nnet_utils/nnet_code_gen.h"
#include "nnet_utils/nnet_helpers.h"
// hls-fpga-machine-learning insert includes
#include "nnet_utils/gatewright.h"
#include "nnet_utils/nnet_conv2d.h"
#include "nnet_utils/nnet_conv2d_stream.h"
#include "nnet_utils/nnet_dense.h"
#include "nnet_utils/nnet_dense_compressed.h"
#include "nnet_utils/nnet_dense_stream.h"
#include "nnet_utils/nnet_padding.h"
#include "nnet_utils/nnet_padding_stream.h"

// hls-fpga-machine-learning insert weights
#include "weights/stem_conv_acc_weight.h"
#include "weights/stem_conv_acc_bias.h"
#include "weights/stem_conv_multiplier.h"
#include "weights/stem_conv_shift.h"
#include "weights/logits_acc_weight.h"
#include "weights/logits_acc_bias.h"
#include "weights/logits_multiplier.h"
#include "weights/logits_shift.h"


// hls-fpga-machine-learning insert layer-config
// image_centred
struct config_image_centred {
    typedef ap_int<9> centred_t;
    typedef ap_uint<1> multiplier_t;
    typedef ap_int<9> product_t;
    static const int n_pixels = 16;
    static const int n_chan = 2;
    static const int multiplier = 1;
    static const int shift = 0;
    static const int zero_point = 6;
    static const int low = -134;
    static const int high = 121;
    static const int offset = 0;
    static const int reuse_factor = 1;
};

// zp2d_stem_conv_acc
struct config_zp2d_stem_conv_acc : nnet::padding2d_config {
    static const unsigned in_height = 4;
    static const unsigned in_width = 4;
    static const unsigned n_chan = 2;
    static const unsigned out_height = 6;
    static const unsigned out_width = 6;
    static const unsigned pad_top = 1;
    static const unsigned pad_bottom = 1;
    static const unsigned pad_left = 1;
    static const unsigned pad_right = 1;
};

// stem_conv_acc
struct config_stem_conv_acc_mult : nnet::dense_config {
    static const unsigned n_in = 18;
    static const unsigned n_out = 3;
    static const unsigned reuse_factor = 18;
    static const unsigned strategy = nnet::resource;
    static const unsigned n_zeros = 0;
    static const unsigned multiplier_limit = DIV_ROUNDUP(n_in * n_out, reuse_factor) - n_zeros / reuse_factor;
    typedef stem_conv_acc_accum_t accum_t;
    typedef stem_conv_acc_bias_t bias_t;
    typedef stem_conv_acc_weight_t weight_t;
    template<class data_T, class res_T, class CONFIG_T>
    using kernel = nnet::DenseResource_rf_leq_nin<data_T, res_T, CONFIG_T>;
    template<class x_T, class y_T>
    using product = nnet::product::mult<x_T, y_T>;
};

struct config_stem_conv_acc : nnet::conv2d_config {
    static const unsigned pad_top = 0;
    static const unsigned pad_bottom = 0;
    static const unsigned pad_left = 0;
    static const unsigned pad_right = 0;
    static const unsigned in_height = 6;
    static const unsigned in_width = 6;
    static const unsigned n_chan = 2;
    static const unsigned filt_height = 3;
    static const unsigned filt_width = 3;
    static const unsigned kernel_size = filt_height * filt_width;
    static const unsigned n_filt = 3;
    static const unsigned stride_height = 2;
    static const unsigned stride_width = 2;
    static const unsigned out_height = 2;
    static const unsigned out_width = 2;
    static const unsigned reuse_factor = 18;
    static const unsigned n_zeros = 0;
    static const unsigned multiplier_limit =
        DIV_ROUNDUP(kernel_size * n_chan * n_filt, reuse_factor) - n_zeros / reuse_factor;
    static const bool store_weights_in_bram = false;
    static const unsigned strategy = nnet::resource;
    static const nnet::conv_implementation implementation = nnet::conv_implementation::linebuffer;
    static const unsigned min_height = 6;
    static const unsigned min_width = 6;
    static const ap_uint<filt_height * filt_width> pixels[min_height * min_width];
    static const unsigned n_partitions = 4;
    static const unsigned n_pixels = out_height * out_width / n_partitions;
    template<class data_T, class CONFIG_T>
    using fill_buffer = nnet::FillConv2DBuffer<data_T, CONFIG_T>;
    typedef stem_conv_acc_accum_t accum_t;
    typedef stem_conv_acc_bias_t bias_t;
    typedef stem_conv_acc_weight_t weight_t;
    typedef config_stem_conv_acc_mult mult_config;
    template<unsigned K, unsigned S, unsigned W>
    using scale_index_height = nnet::scale_index_regular<K, S, W>;
    template<unsigned K, unsigned S, unsigned W>
    using scale_index_width = nnet::scale_index_regular<K, S, W>;
};
const ap_uint<config_stem_conv_acc::filt_height * config_stem_conv_acc::filt_width> config_stem_conv_acc::pixels[] = {0};

// stem_conv
struct config_stem_conv {
    typedef ap_int<50> product_t;
    typedef stem_conv_multiplier_t multiplier_t;
    typedef stem_conv_shift_t shift_t;
    static const int n_pixels = 4;
    static const int n_chan = 3;
    static const int n_parameters = 3;
    static const gatewright::Index index = gatewright::Index::channel;
    static const int low = -125;
    static const int high = 130;
    static const int offset = 0;
    static const int reuse_factor = 1;
};

// logits_flat
struct config_logits_flat {
    static const int n_elements = 12;
    static const int reuse_factor = 1;
};

// logits_acc
struct config_logits_acc : nnet::dense_config {
    static const unsigned n_in = 12;
    static const unsigned n_out = 4;
    static const unsigned io_type = nnet::io_stream;
    static const unsigned strategy = nnet::resource;
    static const unsigned reuse_factor = 12;
    static const unsigned n_zeros = 0;
    static const unsigned n_nonzeros = 48;
    static const unsigned multiplier_limit = DIV_ROUNDUP(n_in * n_out, reuse_factor) - n_zeros / reuse_factor;
    static const bool store_weights_in_bram = false;
    typedef logits_acc_accum_t accum_t;
    typedef logits_acc_bias_t bias_t;
    typedef logits_acc_weight_t weight_t;
    typedef logits_acc_index_t index_t;
    template<class data_T, class res_T, class CONFIG_T>
    using kernel = nnet::DenseResource_rf_leq_nin<data_T, res_T, CONFIG_T>;
    template<class x_T, class y_T>
    using product = nnet::product::mult<x_T, y_T>;
};

// logits
struct config_logits {
    typedef ap_int<49> product_t;
    typedef logits_multiplier_t multiplier_t;
    typedef logits_shift_t shift_t;
    static const int n_pixels = 1;
    static const int n_chan = 4;
    static const int n_parameters = 4;
    static const gatewright::Index index = gatewright::Index::channel;
    static const int low = -141;
    static const int high = 114;
    static const int offset = 13;
    static const int reuse_factor = 1;
};



#endif
