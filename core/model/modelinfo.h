// What is known about a model, as plain data for the window, the command line and the store.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace lens {

/// What mixes tokens in one layer, and its per-head decay.
struct LayerInfo {
    std::string mixer;          ///< "softmax", "supra", "t2r", "linear", or a plugin's own
    std::vector<double> gamma;  ///< decay per query head, 1 = none; empty where there is no such number
    std::vector<double> channelGamma;  ///< [heads x channels]: fixed decays that differ inside a head; else empty
    bool decayVaries = false;   ///< the decay depends on the input: see ProbeKind::Retention
    std::int64_t slidingWindow = 0;  ///< softmax only; 0 = none
};

/// A quantity that a family does not have.
struct Undefined {
    std::string quantity;  ///< "state norm", "decay", "attention", "zero features", "conversion"
    std::string reason;    ///< completes "not defined for this family, because ..."
};

struct ModelInfo {
    std::string name;           ///< short, for headings
    std::string path;           ///< the model specification it was opened with
    std::string format;         ///< "GGUF", "Hugging Face", "llama2.c", "open_lm"
    std::string architecture;   ///< "llama", "mistral", "open_lm", ...
    std::string mixer;          ///< that of all layers, or "hybrid"
    std::string storage;        ///< "Q4_1 (210), Q8_0 (1), F32 (61)": stored types and tensor counts
    std::string fingerprint;    ///< 32 hexadecimal digits; empty for models inspected but not loaded
    std::string licence;        ///< as the file states it; empty when it does not
    std::string origin;         ///< "converted from <fingerprint>, SUPRA, ..."; empty for models as they were loaded
    bool untrained = false;     ///< converted and not uptrained: it talks nonsense
    std::string base;           ///< of an adapted model: the specification of its base; else empty

    std::int64_t layerCount = 0, hiddenSize = 0, heads = 0, kvHeads = 0, keyDim = 0, valueDim = 0, feedForward = 0;
    std::int64_t vocabulary = 0;
    std::int64_t trainedContext = 0;  ///< tokens
    std::uint64_t parameters = 0;
    std::uint64_t fileBytes = 0;
    std::uint64_t weightBytes = 0;        ///< in memory, in the chosen dtype
    std::uint64_t sharedBytes = 0;        ///< of an adapted model: so much of it is in its base's memory
    std::uint64_t kvBytesPerToken = 0;    ///< what softmax layers add per token; 0 for purely recurrent models
    std::uint64_t stateBytes = 0;         ///< constant part: recurrent states, batch 1

    std::string device;                   ///< "cpu", "cuda:0"; empty before loading
    std::string deviceNote;               ///< why the wished device was not taken
    std::string dtype;                    ///< "float32"; "int8" or "int4" where matrices were rounded when they were loaded
    double quantisationError = 0;         ///< what that did to them: root of their mean squared error, relative
    std::string tokenizer;                ///< its kind; empty when there is none
    std::string chatTemplate;             ///< name of the recognised template; empty when there is none
    std::string chatTemplateNote;         ///< why a template that is there cannot be used

    std::vector<LayerInfo> layers;
    std::vector<Undefined> undefined;     ///< what probes and views cannot show, and why
    std::string headMeaning;              ///< what is shown as a head where there are none ("64 channels"); else empty

    bool isRecurrent() const { return kvBytesPerToken == 0; }
};

/// Whether a layer offers ProbeKind::Retention: its decay is more than one fixed number per head.
inline bool hasRetention(const ModelInfo &info)
{
    for (const LayerInfo &layer : info.layers)
        if (layer.decayVaries || !layer.channelGamma.empty())
            return true;
    return false;
}

/// "float32", or "int8 (weights 0.57 % off)".
inline std::string computedIn(const ModelInfo &info)
{
    if (info.quantisationError == 0)
        return info.dtype;
    std::array<char, 32> off{};
    std::snprintf(off.data(), off.size(), "%.2g", 100 * info.quantisationError);
    return info.dtype + " (weights " + off.data() + " % off)";
}

} // namespace lens
