#include "checkpoint/adapterfile.h"
#include "checkpoint/description.h"
#include "checkpoint/gguf.h"
#include "checkpoint/llama2c.h"
#include "checkpoint/sniff.h"
#include "checkpoint/weights.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <charconv>

namespace lens {

namespace {

namespace fs = std::filesystem;

fs::path folderOf(const fs::path &file)
{
    return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// A model whose tensors are in files of their own and whose configuration lies beside them.
Result<CheckpointPtr> assemble(const fs::path &path, const fs::path &folder, Result<Weights> weights)
{
    if (!weights)
        return propagate(weights);
    Result<Description> description = readDescription(folder);
    if (!description)
        return propagate(description);
    const bool isSafetensors = weights->files.back().extension() == ".safetensors";
    const bool isOpenLm = looksLikeOpenLm(weights->tensors);
    if (description->files.empty() && (isSafetensors || isOpenLm))
        return fail(ErrorCode::NotFound,
                    std::string(isOpenLm ? "model_config.json" : "config.json") + " is missing beside the weights",
                    folder.string(), "put the model's configuration into the same folder");
    if (description->format == CheckpointFormat::OpenLm)
        dropOpenLmPrefixes(weights->tensors);
    CheckpointContent content;
    content.path = path;
    content.format = description->format;
    content.config = std::move(description->config);
    content.tensors = std::move(weights->tensors);
    content.files = std::move(weights->files);
    content.files.insert(content.files.end(), description->files.begin(), description->files.end());
    return StoredCheckpoint::create(std::move(content));
}

Result<CheckpointPtr> created(Result<CheckpointContent> content)
{
    return content ? StoredCheckpoint::create(std::move(*content)) : propagate(content);
}

Result<CheckpointPtr> openFile(const fs::path &file)
{
    const Result<MappedFilePtr> mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const Result<FileKind> kind = sniff(**mapped);
    if (!kind)
        return propagate(kind);
    switch (*kind) {
    case FileKind::Gguf: return created(readGguf(*mapped));
    case FileKind::Llama2c: return created(readLlama2c(*mapped));
    case FileKind::Safetensors:
        if (adapterFileAt(file))
            return fail(ErrorCode::Unsupported, "this is a SUPRA adapter, not a whole model", file.string(),
                        "open it with the model it was made for: MODEL@adapter=" + file.filename().string());
        break;
    case FileKind::TorchZip: break;
    }
    return assemble(file, folderOf(file), readWeights(file));
}

/// The number in epoch_<number>.pt, -1 for other names.
int epochOf(const fs::path &file)
{
    const std::string stem = file.stem().string();
    constexpr std::string_view prefix = "epoch_";
    int epoch = -1;
    if (!stem.starts_with(prefix))
        return -1;
    const char *last = stem.data() + stem.size();
    return std::from_chars(stem.data() + prefix.size(), last, epoch).ptr == last ? epoch : -1;
}

/// llama2.c's tokenizer has the extension of its models.
bool isTokenizer(const fs::path &file)
{
    return file.extension() == ".bin" && file.filename().string().starts_with("tok");
}

/// The one file of a folder that must be the model, where no fixed name says so: a .gguf, else the last epoch or the
/// only .pt, and so on.
Result<fs::path> onlyModelIn(const fs::path &folder)
{
    std::vector<fs::path> entries;
    for (const fs::directory_entry &entry : fs::directory_iterator(folder))
        entries.push_back(entry.path());
    std::ranges::sort(entries);
    for (const char *extension : {".gguf", ".pt", ".pth", ".safetensors", ".bin"}) {
        std::vector<fs::path> found;
        for (const fs::path &entry : entries)
            if (entry.extension() == extension && !isTokenizer(entry))
                found.push_back(entry);
        const auto epoch = std::ranges::max_element(found, {}, epochOf);
        if (epoch != found.end() && epochOf(*epoch) >= 0)
            return *epoch;
        if (found.size() == 1)
            return found.front();
        if (found.size() > 1)
            return fail(ErrorCode::InvalidArgument, "the folder holds several " + std::string(extension) + " files",
                        folder.string(), "open one of them, for example " + found.front().filename().string());
    }
    return fail(ErrorCode::NotFound, "the folder holds no weights", folder.string(),
                "choose the folder or file with model.safetensors, pytorch_model.bin, .gguf, .bin or .pt");
}

Result<CheckpointPtr> openFolder(const fs::path &folder)
{
    for (const char *stem : {"model.safetensors", "pytorch_model.bin"}) {
        const fs::path single = folder / stem;
        const fs::path index = folder / (std::string(stem) + ".index.json");
        if (fs::exists(index))
            return assemble(folder, folder, readShards(index));
        if (fs::exists(single))
            return assemble(folder, folder, readWeights(single));
    }
    const Result<fs::path> file = onlyModelIn(folder);
    return file ? openFile(*file) : propagate(file);
}

} // namespace

Result<CheckpointPtr> openCheckpoint(const fs::path &path)
{
    return guarded(path.string(), [&]() -> Result<CheckpointPtr> {
        std::error_code error;
        return fs::is_directory(path, error) ? openFolder(path) : openFile(path);
    });
}

} // namespace lens
