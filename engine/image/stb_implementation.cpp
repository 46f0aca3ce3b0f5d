// The one place where the stb libraries are compiled: the decoder of BMP only.
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 65536  // as kMaxSide in format_header.cpp
#include <stb/stb_image.h>

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#if __has_include(<stb/stb_image_resize.h>)
#include <stb/stb_image_resize.h>
#else
#include <stb/stb_image_resize2.h>
#endif
