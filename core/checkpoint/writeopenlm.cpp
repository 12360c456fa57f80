#include "checkpoint/picklewriter.h"
#include "checkpoint/storedtensor.h"
#include "checkpoint/tensorsource.h"
#include "checkpoint/zipwriter.h"
#include "tensor/torchbridge.h"

#include <nlohmann/json.hpp>

namespace lens {

namespace {

const std::string kPrefix = "epoch_0/";

/// The storages of a state dict. Tensors that are the same memory, as tied weights are, share one.
class Storages {
public:
    Result<void> add(const NamedTensors &tensors, const std::string &where);

    const std::string &keyOf(const std::string &tensor) const { return m_keys.at(tensor); }
    const std::vector<at::Tensor> &tensors() const { return m_tensors; }

private:
    using Identity = std::tuple<const void *, at::ScalarType, std::vector<std::int64_t>, std::vector<std::int64_t>>;

    std::map<std::string, std::string> m_keys;
    std::map<Identity, std::string> m_known;
    std::vector<at::Tensor> m_tensors;
};

Result<void> Storages::add(const NamedTensors &tensors, const std::string &where)
{
    if (const Result<void> checked = checkStorable(tensors, where); !checked)
        return checked;
    for (const auto &[name, tensor] : tensors) {
        const Identity identity{tensor.const_data_ptr(), tensor.scalar_type(), tensor.sizes().vec(),
                                tensor.strides().vec()};
        const auto [known, isNew] = m_known.emplace(identity, std::to_string(m_tensors.size()));
        if (isNew)
            m_tensors.push_back(tensor);
        m_keys[name] = known->second;
    }
    return {};
}

Result<std::string> describe(const std::string &model, const NamedTensors &tensors, const Storages &storages,
                             const std::string &where)
{
    PickleWriter pickle;
    pickle.beginDict();
    pickle.text("epoch");
    pickle.integer(0);
    pickle.text("name");
    pickle.text(model);
    pickle.text("state_dict");
    pickle.beginDict();
    for (const auto &[name, tensor] : tensors) {
        pickle.text(name);
        if (!pickle.tensor(*storableType(tensor.scalar_type()), storages.keyOf(name), tensor.sizes()))
            return fail(ErrorCode::Unsupported, "torch files cannot hold this element type", whereIs(where, name),
                        "convert the tensor first");
    }
    pickle.endDict();
    pickle.endDict();
    return pickle.finish();
}

Result<void> writeArchive(AtomicFile &file, const std::string &pickle, const std::vector<at::Tensor> &tensors,
                          const std::stop_token &stop, const ProgressFn &progress)
{
    Progress state{"writing weights", 0, 0};
    for (const at::Tensor &tensor : tensors)
        state.total += tensor.nbytes();
    ZipWriter zip(file);
    Result<void> done = zip.add(kPrefix + "data.pkl", pickle);
    if (done)
        done = zip.add(kPrefix + "byteorder", "little");
    for (std::size_t i = 0; i < tensors.size() && done; ++i) {
        if (stop.stop_requested())
            return fail(ErrorCode::Cancelled, "writing was cancelled");
        const at::Tensor tensor = ready(tensors[i]);
        done = zip.add(kPrefix + "data/" + std::to_string(i), bytesOf(tensor));
        state.done += tensor.nbytes();
        if (progress)
            progress(state);
    }
    if (done)
        done = zip.add(kPrefix + "version", "3\n");
    return done ? zip.finish() : done;
}

} // namespace

Result<void> writeOpenLm(const std::filesystem::path &folder, const nlohmann::json &modelConfig,
                         const NamedTensors &stateDict, std::stop_token stop, const ProgressFn &progress)
{
    const std::filesystem::path path = folder / "epoch_0.pt";
    return guarded(path.string(), [&]() -> Result<void> {
        Storages storages;
        if (const Result<void> added = storages.add(stateDict, path.string()); !added)
            return added;
        const Result<std::string> pickle = describe(folder.filename().string(), stateDict, storages, path.string());
        if (!pickle)
            return propagate(pickle);
        std::filesystem::create_directories(folder);
        Result<AtomicFile> file = AtomicFile::create(path);
        if (!file)
            return propagate(file);
        if (const Result<void> done = writeArchive(*file, *pickle, storages.tensors(), stop, progress); !done)
            return done;
        // The configuration first: weights without one cannot be opened, a configuration without weights can be redone.
        if (const auto done = writeFileAtomically(folder / "model_config.json", modelConfig.dump(2) + "\n"); !done)
            return done;
        return file->commit();
    });
}

} // namespace lens
