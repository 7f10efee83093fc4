#ifndef DEFINES_H_
#define DEFINES_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "nnet_utils/nnet_types.h"
#include <array>
#include <cstddef>
#include <cstdio>
#include <tuple>
#include <tuple>


// hls-fpga-machine-learning insert numbers

// hls-fpga-machine-learning insert layer-precision
typedef nnet::array<ap_int<8>, 2*1> input_t;
typedef nnet::array<ap_int<9>, 2*1> image_centred_t;
typedef nnet::array<ap_int<9>, 2*1> zp2d_stem_conv_acc_t;
typedef ap_int<19> stem_conv_acc_accum_t;
typedef nnet::array<ap_int<19>, 3*1> stem_conv_acc_t;
typedef ap_int<9> stem_conv_acc_weight_t;
typedef ap_int<11> stem_conv_acc_bias_t;
typedef nnet::array<ap_int<9>, 3*1> stem_conv_t;
typedef ap_uint<31> stem_conv_multiplier_t;
typedef ap_uint<6> stem_conv_shift_t;
typedef nnet::array<ap_int<9>, 12*1> logits_flat_t;
typedef ap_int<18> logits_acc_accum_t;
typedef nnet::array<ap_int<18>, 4*1> logits_acc_t;
typedef ap_int<8> logits_acc_weight_t;
typedef ap_int<11> logits_acc_bias_t;
typedef ap_uint<1> logits_acc_index_t;
typedef nnet::array<ap_int<8>, 4*1> result_t;
typedef ap_uint<31> logits_multiplier_t;
typedef ap_uint<6> logits_shift_t;

// hls-fpga-machine-learning insert emulator-defines


#endif
