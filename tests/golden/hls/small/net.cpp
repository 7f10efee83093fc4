// net: integer graph, profile scaled, io_stream.
// The ports carry the quantized integers q; inside, every tensor carries q - zero point.
//
// tensor: element type, shape (channels first), scale, zero point
//   image: i8 1x4x4x2, 1, 6
//   nchw: i8 1x2x4x4, 1, 6
//   stem/conv: i8 1x3x2x2, 1, -3
//   flatten: i8 1x12, 1, -3
//   logits: i8 1x4, 1, 13

#include <iostream>

#include "net.h"
#include "parameters.h"


void net(
    hls::stream<input_t> &image,
    hls::stream<result_t> &logits_out
) {

    // hls-fpga-machine-learning insert IO
    #pragma HLS INTERFACE axis port=image,logits_out
    #pragma HLS DATAFLOW

    // hls-fpga-machine-learning insert load weights
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        nnet::load_weights_from_txt<stem_conv_acc_weight_t, 54>(stem_conv_acc_weight, "stem_conv_acc_weight.txt");
        nnet::load_weights_from_txt<stem_conv_acc_bias_t, 3>(stem_conv_acc_bias, "stem_conv_acc_bias.txt");
        nnet::load_weights_from_txt<stem_conv_multiplier_t, 3>(stem_conv_multiplier, "stem_conv_multiplier.txt");
        nnet::load_weights_from_txt<stem_conv_shift_t, 3>(stem_conv_shift, "stem_conv_shift.txt");
        nnet::load_weights_from_txt<logits_acc_weight_t, 48>(logits_acc_weight, "logits_acc_weight.txt");
        nnet::load_weights_from_txt<logits_acc_bias_t, 4>(logits_acc_bias, "logits_acc_bias.txt");
        nnet::load_weights_from_txt<logits_multiplier_t, 4>(logits_multiplier, "logits_multiplier.txt");
        nnet::load_weights_from_txt<logits_shift_t, 4>(logits_shift, "logits_shift.txt");
        loaded_weights = true;    }
#endif
    // ****************************************
    // NETWORK INSTANTIATION
    // ****************************************

    // hls-fpga-machine-learning insert layers

    hls::stream<image_centred_t> image_centred_out("image_centred_out");
    #pragma HLS STREAM variable=image_centred_out depth=16

    hls::stream<zp2d_stem_conv_acc_t> zp2d_stem_conv_acc_out("zp2d_stem_conv_acc_out");
    #pragma HLS STREAM variable=zp2d_stem_conv_acc_out depth=36

    hls::stream<stem_conv_acc_t> stem_conv_acc_out("stem_conv_acc_out");
    #pragma HLS STREAM variable=stem_conv_acc_out depth=2

    hls::stream<stem_conv_t> stem_conv_out("stem_conv_out");
    #pragma HLS STREAM variable=stem_conv_out depth=4

    hls::stream<logits_flat_t> logits_flat_out("logits_flat_out");
    #pragma HLS STREAM variable=logits_flat_out depth=1

    hls::stream<logits_acc_t> logits_acc_out("logits_acc_out");
    #pragma HLS STREAM variable=logits_acc_out depth=2

    // image_centred
    // clamp((x - 6), -134, 121)
    gatewright::rescale<input_t, image_centred_t, config_image_centred>(image, image_centred_out);

    nnet::zeropad2d_cl<image_centred_t, zp2d_stem_conv_acc_t, config_zp2d_stem_conv_acc>(image_centred_out, zp2d_stem_conv_acc_out); // zp2d_stem_conv_acc

    // stem_conv_acc
    // conv2d (4, 4, 2) -> (2, 2, 3), weights ap_int<9>, accumulator ap_int<19>
    nnet::conv_2d_cl<zp2d_stem_conv_acc_t, stem_conv_acc_t, config_stem_conv_acc>(zp2d_stem_conv_acc_out, stem_conv_acc_out, stem_conv_acc_weight, stem_conv_acc_bias);

    // stem_conv
    // clamp((x * M + half) >> n, -125, 130)
    gatewright::requantize<stem_conv_acc_t, stem_conv_t, config_stem_conv>(stem_conv_acc_out, stem_conv_out, stem_conv_multiplier, stem_conv_shift);

    // logits_flat
    // (2, 2, 3) -> (12,)
    gatewright::repack<stem_conv_t, logits_flat_t, config_logits_flat>(stem_conv_out, logits_flat_out);

    // logits_acc
    // dense (12,) -> (4,), weights ap_int<8>, accumulator ap_int<18>
    nnet::dense<logits_flat_t, logits_acc_t, config_logits_acc>(logits_flat_out, logits_acc_out, logits_acc_weight, logits_acc_bias);

    // logits
    // clamp((x * M + half) >> n, -141, 114) + 13
    gatewright::requantize<logits_acc_t, result_t, config_logits>(logits_acc_out, logits_out, logits_multiplier, logits_shift);

}

