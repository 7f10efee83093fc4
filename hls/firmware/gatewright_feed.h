// C simulation only: raw integers into and out of the ports.
#ifndef GATEWRIGHT_FEED_H_
#define GATEWRIGHT_FEED_H_

#include "gatewright_arithmetic.h"
#include <cstdint>

namespace gatewright {

template <int SIZE, class T> void feed(const int32_t *values, hls::stream<T> &port) {
    for (int i = 0; i < SIZE; i += T::size) {
        T beat;
        for (int c = 0; c < int(T::size); c++)
            beat[c] = FromMantissa<typename T::value_type>::make(ap_int<34>(values[i + c]));
        port.write(beat);
    }
}

template <int SIZE, class T> void feed(const int32_t *values, T *port) {
    for (int i = 0; i < SIZE; i++)
        port[i] = FromMantissa<T>::make(ap_int<34>(values[i]));
}

template <int SIZE, class T> void drain(hls::stream<T> &port, int32_t *values) {
    for (int i = 0; i < SIZE; i += T::size) {
        T beat = port.read();
        for (int c = 0; c < int(T::size); c++)
            values[i + c] = int32_t(mantissa(beat[c]).to_int64());
    }
}

template <int SIZE, class T> void drain(const T *port, int32_t *values) {
    for (int i = 0; i < SIZE; i++)
        values[i] = int32_t(mantissa(port[i]).to_int64());
}

} // namespace gatewright

#endif
