// A plain reader of safetensors for tests: independent of the one under test, and without torch.
#pragma once

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QMap>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace lens::test {

struct TestTensor {
    std::vector<qint64> shape;
    std::vector<double> values;

    /// The first of the batch rows only.
    TestTensor firstRow() const
    {
        TestTensor row = *this;
        row.values.resize(values.size() / static_cast<std::size_t>(shape.front()));
        row.shape.front() = 1;
        return row;
    }

    double largest() const
    {
        double most = 0;
        for (const double value : values)
            most = std::max(most, std::abs(value));
        return most;
    }
};

using TensorFile = QMap<QString, TestTensor>;

template <class Stored>
std::vector<double> widened(const QByteArray &bytes)
{
    std::vector<Stored> stored(static_cast<std::size_t>(bytes.size()) / sizeof(Stored));
    std::memcpy(stored.data(), bytes.constData(), stored.size() * sizeof(Stored));
    return {stored.begin(), stored.end()};
}

/// F32, I64 and I32 tensors; others are left out. Empty when the file cannot be read.
inline TensorFile readTensorFile(const QString &path)
{
    QFile file(path);
    quint64 headerBytes = 0;
    if (!file.open(QIODevice::ReadOnly) || file.read(reinterpret_cast<char *>(&headerBytes), 8) != 8)
        return {};
    const QJsonObject header = QJsonDocument::fromJson(file.read(static_cast<qint64>(headerBytes))).object();
    const QByteArray data = file.readAll();
    TensorFile tensors;
    for (auto entry = header.begin(); entry != header.end(); ++entry) {
        const QJsonObject facts = entry.value().toObject();
        const QJsonArray range = facts["data_offsets"].toArray();
        const QByteArray bytes = data.mid(range[0].toInteger(), range[1].toInteger() - range[0].toInteger());
        TestTensor tensor;
        for (const QJsonValue &size : facts["shape"].toArray())
            tensor.shape.push_back(size.toInteger());
        const QString type = facts["dtype"].toString();
        if (type == "F32")
            tensor.values = widened<float>(bytes);
        else if (type == "I64")
            tensor.values = widened<qint64>(bytes);
        else if (type == "I32")
            tensor.values = widened<qint32>(bytes);
        else
            continue;
        tensors[entry.key()] = tensor;
    }
    return tensors;
}

/// Infinite when shapes differ or anything is not a number.
inline double largestDifference(const TestTensor &a, const TestTensor &b)
{
    if (a.shape != b.shape || a.values.size() != b.values.size())
        return std::numeric_limits<double>::infinity();
    double most = 0;
    for (std::size_t i = 0; i < a.values.size(); ++i) {
        const double difference = std::abs(a.values[i] - b.values[i]);
        if (!(difference <= most))
            most = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    }
    return most;
}

} // namespace lens::test
