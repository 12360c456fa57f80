// The SUPRA adapter: what turns an unchanged softmax checkpoint into a trained linear model, in one file of some
// megabytes: feature maps, decays, output scales and low-rank changes of projections (LoRA, arXiv 2106.09685).
//
// The file is safetensors. Its metadata: "format" = "supralens-adapter", "version" = "1", "config" = a JSON object with
// base_fingerprint, base_name, base_hint, lora_scale and decoder (the adapted model's configuration). Its tensors have
// the names of SupraAdapter::tensors, as F32, as F16, or as I8 with "<name>.scales" (F32, one for each row) beside it;
// vectors stay F32 then.
#pragma once

#include "checkpoint/writer.h"
#include "model/decoderconfig.h"
#include "model/languagemodel.h"

#include <filesystem>

namespace lens {

struct SupraAdapter {
    std::string baseFingerprint;  ///< of the checkpoint it was trained on, see fingerprint()
    std::string baseName;         ///< for people
    std::string baseHint;         ///< file or folder name of that checkpoint, without its path
    DecoderConfig config;         ///< of the adapted model: its layers hold kinds and decays
    double loraScale = 0;         ///< alpha / rank

    /// float32, on the CPU. As Decoder calls them: layers.N.mixer.feature_map.*, .feature_map_k.* (all that the config
    /// asks for) and .scale [H*dv]; PROJECTION.lora_a [r,in] with PROJECTION.lora_b [out,r].
    NamedTensors tensors;
};

enum class AdapterStorage {
    Float32,
    Float16,
    Int8,  ///< matrices as row scale times -127..127, rows being what the last dimension counts through
};

/// "float32", "float16", "int8".
Result<AdapterStorage> parseAdapterStorage(std::string_view text);

/// Returns the largest error that the storage causes: of any number, relative to the largest number of its tensor.
/// ErrorCode::Io, ErrorCode::Malformed for tensors that do not fit the config or are not finite.
Result<double> writeAdapter(const std::filesystem::path &file, const SupraAdapter &adapter, AdapterStorage storage);

/// Checks everything: metadata, that exactly the tensors of the configuration are there, their types and shapes, and that
/// all numbers are finite. Never needs more memory than a small multiple of the file's size.
Result<SupraAdapter> readAdapter(const std::filesystem::path &file);

/// `base`, which must be a decoder, with the adapter's mixers, in the base's dtype and on its device: W + loraScale B A,
/// scales multiplied into the output projections. Weights that do not change are shared. The caller checks the
/// fingerprint; ErrorCode::Mismatch names what does not fit otherwise.
Result<LanguageModelPtr> applyAdapter(const LanguageModel &base, const SupraAdapter &adapter);

} // namespace lens
