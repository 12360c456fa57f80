// Made-up models and measurements of plausible shape for the lens tests: no model runs here.
#pragma once

#include "engine/modelinfo.h"
#include "probe/frames.h"

#include <QApplication>
#include <QPalette>
#include <QStringList>
#include <QStyleFactory>

#include <cmath>
#include <random>

namespace lens::samples {

inline QPalette palette(bool dark)
{
    QPalette colours;
    const QColor window(dark ? 0x23272e : 0xffffff), text(dark ? 0xe6e8eb : 0x1c1f24), accent(dark ? 0x4a9eff : 0x0a64d8);
    const QColor button(dark ? 0x2c313a : 0xf2f4f7), muted(dark ? 0x7d838c : 0x868d98);
    colours.setColor(QPalette::Window, window);
    colours.setColor(QPalette::Base, window);
    colours.setColor(QPalette::AlternateBase, button);
    colours.setColor(QPalette::Button, button);
    colours.setColor(QPalette::ToolTipBase, button);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::ToolTipText})
        colours.setColor(role, text);
    colours.setColor(QPalette::PlaceholderText, muted);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        colours.setColor(QPalette::Disabled, role, muted);
    colours.setColor(QPalette::Highlight, accent);
    colours.setColor(QPalette::HighlightedText, Qt::white);
    colours.setColor(QPalette::Link, accent);
    return colours;
}

inline ModelInfo model(const std::string &name, const std::string &mixer, std::int64_t layers, std::int64_t heads)
{
    ModelInfo info;
    info.name = info.path = name;
    info.mixer = mixer;
    info.fingerprint = name;
    info.layerCount = layers;
    info.heads = info.kvHeads = heads;
    info.vocabulary = 49152;
    info.tokenizer = "gpt2";
    info.trainedContext = 2048;
    info.kvBytesPerToken = mixer == "softmax" ? 46080 : 0;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
        LayerInfo facts;
        facts.mixer = mixer;
        for (std::int64_t head = 0; mixer == "supra" && head < heads; ++head)
            facts.gamma.push_back(std::exp(-std::pow(2.0, -8.0 * double(heads - head) / double(heads))));
        if (mixer == "supra")
            facts.gamma.back() = 1;
        info.layers.push_back(facts);
    }
    return info;
}

inline QStringList tokens(int count)
{
    static const QStringList words{"Once", " upon", " a", " time", ",", " a", " little", " fox", " ran", " to", " the",
                                   " river", " because", " it", " wanted", " to", " see", " the", " big", " red",
                                   " boat", ".", "\n", "He", " looked", " at", " the", " water"};
    QStringList texts;
    for (int i = 0; i < count; ++i)
        texts << words[i % words.size()];
    return texts;
}

inline HeadFrame norms(std::int64_t first, std::int64_t tokens, std::int64_t layers, std::int64_t heads)
{
    HeadFrame frame{first, tokens, layers, heads, {}};
    std::mt19937 random(unsigned(first) + 1);
    std::normal_distribution<float> noise(0, 0.06f);
    for (std::int64_t token = first; token < first + tokens; ++token)
        for (std::int64_t layer = 0; layer < layers; ++layer)
            for (std::int64_t head = 0; head < heads; ++head) {
                const double reach = std::pow(2.0, 8.0 * double(head + 1) / double(heads));
                const double grown = std::sqrt(reach) * (1 - std::exp(-double(token + 1) / reach));
                frame.values.push_back(float(grown * (1 + 0.5 * std::sin(double(layer)))) * std::exp(noise(random)));
            }
    return frame;
}

inline HeadAttention attention(std::int64_t layer, std::int64_t head, std::int64_t tokens, bool softmax)
{
    HeadAttention result{layer, head, softmax ? "softmax" : "supra", {tokens, tokens, {}}};
    result.weights.values.assign(std::size_t(tokens * tokens), 0);
    std::mt19937 random(unsigned(layer * 31 + head + (softmax ? 1000 : 0)));
    std::uniform_real_distribution<float> noise(0.4f, 1.6f);
    for (std::int64_t row = 0; row < tokens; ++row) {
        float sum = 0;
        for (std::int64_t column = 0; column <= row; ++column) {
            const double near = std::exp(-double(row - column) / (softmax ? 4.0 : 9.0));
            const float weight = float(near + (softmax && column == 0 ? 1.5 : 0.02)) * noise(random);
            result.weights.values[std::size_t(row * tokens + column)] = weight;
            sum += weight;
        }
        for (std::int64_t column = 0; column <= row; ++column)
            result.weights.values[std::size_t(row * tokens + column)] /= sum;
    }
    return result;
}

inline AttentionSummary summary(std::int64_t layers, std::int64_t heads, bool softmax)
{
    AttentionSummary result;
    result.layers = layers;
    result.heads = heads;
    for (std::int64_t i = 0; i < layers * heads; ++i) {
        const double head = double(i % heads + 1);
        result.meanDistance.push_back(float(softmax ? 6 + 5 * std::sin(double(i)) : 3.1 * head));
        result.entropy.push_back(float(softmax ? 2.2 : 1.4 + 0.4 * head));
        result.zeroFeatures.push_back(softmax ? NAN : 0.48f);
    }
    return result;
}

inline AttentionErrors errors(std::int64_t layers, std::int64_t heads)
{
    AttentionErrors result{layers, heads, {}, {}};
    for (std::int64_t i = 0; i < layers * heads; ++i) {
        result.frobenius.push_back(float(0.6 + 0.35 * std::sin(0.7 * double(i))));
        result.cosine.push_back(float(0.35 + 0.3 * std::cos(1.3 * double(i))));
    }
    return result;
}

inline ForcedComparison comparison(int tokens)
{
    ForcedComparison result;
    for (int i = 0; i + 1 < tokens; ++i) {
        result.kl.push_back(float(i < 14 ? 0.04 * (1 + std::sin(i)) : 1.1 + 0.7 * std::sin(0.9 * i)));
        result.nllFirst.push_back(1.2f);
        result.nllSecond.push_back(1.2f + result.kl.back());
        result.sameTop.push_back(i < 14);
    }
    return result;
}

} // namespace lens::samples
