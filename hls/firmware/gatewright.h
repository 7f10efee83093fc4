// gatewright's HLS kernels: what hls4ml lacks or computes differently, exact integers throughout.
#ifndef GATEWRIGHT_H_
#define GATEWRIGHT_H_

#include "gatewright_arithmetic.h"
#include "gatewright_convolution.h"
#include "gatewright_elementwise.h"
#include "gatewright_movement.h"
#include "gatewright_serial.h"
#include "gatewright_window.h"

#endif
