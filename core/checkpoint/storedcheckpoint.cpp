#include "checkpoint/storedcheckpoint.h"

#include <ATen/core/Tensor.h>

namespace lens {

StoredCheckpoint::StoredCheckpoint(CheckpointContent content) : m_content(std::move(content))
{
    m_infos.reserve(m_content.tensors.size());
    for (const StoredTensor &tensor : m_content.tensors)
        m_infos.push_back(tensor.info);
    for (std::size_t i = 0; i < m_infos.size(); ++i)
        m_index.emplace(m_infos[i].name, i);
}

Result<CheckpointPtr> StoredCheckpoint::create(CheckpointContent content)
{
    std::shared_ptr<const StoredCheckpoint> checkpoint(new StoredCheckpoint(std::move(content)));
    for (std::size_t i = 0; i < checkpoint->m_infos.size(); ++i) {
        const std::string &name = checkpoint->m_infos[i].name;
        if (checkpoint->m_index.at(name) != i)
            return fail(ErrorCode::Malformed, "two tensors have this name",
                        whereIs(checkpoint->m_content.tensors[i].file->path(), name), "download the model again");
    }
    return checkpoint;
}

const TensorInfo *StoredCheckpoint::find(std::string_view tensor) const
{
    const auto found = m_index.find(tensor);
    return found == m_index.end() ? nullptr : &m_infos[found->second];
}

Result<at::Tensor> StoredCheckpoint::load(std::string_view tensor, DType type) const
{
    const auto found = m_index.find(tensor);
    if (found == m_index.end())
        return fail(ErrorCode::NotFound, "the checkpoint has no tensor \"" + std::string(tensor) + "\"",
                    m_content.path.string(), "the file belongs to another kind of model, or is incomplete");
    return loadStored(m_content.tensors[found->second], type);
}

void StoredCheckpoint::release(std::string_view tensor) const
{
    const auto found = m_index.find(tensor);
    if (found == m_index.end())
        return;
    const StoredTensor &stored = m_content.tensors[found->second];
    stored.file->release(stored.file->bytes().subspan(stored.offset, stored.span));
}

} // namespace lens
