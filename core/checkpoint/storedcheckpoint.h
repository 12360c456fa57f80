// The one implementation of Checkpoint: readers of all formats fill a CheckpointContent.
#pragma once

#include "checkpoint/storedtensor.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

namespace lens {

struct CheckpointContent {
    std::filesystem::path path;
    CheckpointFormat format = CheckpointFormat::HuggingFace;
    nlohmann::json config = nlohmann::json::object();
    std::vector<StoredTensor> tensors;
    std::optional<EmbeddedVocabulary> vocabulary;
    std::vector<std::filesystem::path> files;
};

class StoredCheckpoint final : public Checkpoint {
public:
    /// Fails with ErrorCode::Malformed when two tensors have the same name.
    static Result<CheckpointPtr> create(CheckpointContent content);

    const std::filesystem::path &path() const override { return m_content.path; }
    CheckpointFormat format() const override { return m_content.format; }
    const nlohmann::json &config() const override { return m_content.config; }
    const std::vector<TensorInfo> &tensors() const override { return m_infos; }
    const TensorInfo *find(std::string_view tensor) const override;
    Result<at::Tensor> load(std::string_view tensor, DType type) const override;
    void release(std::string_view tensor) const override;
    const EmbeddedVocabulary *vocabulary() const override { return m_content.vocabulary ? &*m_content.vocabulary : nullptr; }
    std::vector<std::filesystem::path> files() const override { return m_content.files; }

private:
    explicit StoredCheckpoint(CheckpointContent content);

    CheckpointContent m_content;
    std::vector<TensorInfo> m_infos;
    std::unordered_map<std::string_view, std::size_t> m_index; ///< views the names in m_infos
};

} // namespace lens
