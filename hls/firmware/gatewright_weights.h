// C simulation only: where hls4ml's load_weights_from_txt finds the weights: ../firmware/weights of the library itself,
// so that a moved folder still works.
#ifndef GATEWRIGHT_WEIGHTS_H_
#define GATEWRIGHT_WEIGHTS_H_

#include <dlfcn.h>
#include <string>

namespace gatewright {

inline std::string weights_dir() {
    Dl_info info;
    if (!dladdr(reinterpret_cast<void *>(&weights_dir), &info) || !info.dli_fname)
        return "firmware/weights";
    const std::string library(info.dli_fname);
    const std::string::size_type slash = library.rfind('/');
    return (slash == std::string::npos ? std::string(".") : library.substr(0, slash)) + "/../firmware/weights";
}

} // namespace gatewright

#define WEIGHTS_DIR gatewright::weights_dir()

#endif
