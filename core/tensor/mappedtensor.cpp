#include "tensor/mappedtensor.h"

namespace lens {

namespace {

/// Lets go of the file. The storage is known by it, too.
void unmap(void *file)
{
    delete static_cast<MappedFilePtr *>(file);
}

} // namespace

at::Tensor viewOf(const MappedFilePtr &file, std::uint64_t offset, at::ScalarType type, at::IntArrayRef sizes,
                  at::IntArrayRef strides)
{
    void *data = const_cast<std::byte *>(file->bytes().data() + offset);
    const auto options = at::TensorOptions().dtype(type);
    auto context = std::make_unique<MappedFilePtr>(file);
    at::TensorMaker maker = at::for_blob(data, sizes);
    if (!strides.empty())
        maker.strides(strides);
    return maker.options(options).context(context.release(), unmap).make_tensor();
}

MappedFilePtr fileOf(const at::Tensor &tensor)
{
    if (!tensor.defined() || !tensor.has_storage())
        return nullptr;
    const auto *file = tensor.storage().data_ptr().cast_context<MappedFilePtr>(unmap);
    return file ? *file : nullptr;
}

} // namespace lens
