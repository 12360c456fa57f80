// The workspace: one SQLite file with everything that was asked, answered and measured (docs/formats.md).
//
// Threads: a Workspace and all it hands out belong to one thread at a time, which is best a thread of their own,
// since every change waits for the disk. Stores and writers must not outlive their Workspace.
//
// Durability: when a call that changes something returns without error, the change is on the disk, and a killed
// process or a power cut does not lose it. A call that fails has changed nothing.
//
// Errors of all stores: NotFound (no such row), InvalidArgument, Busy (locked by another program), Io (the system
// refused, the disk is full, the workspace is read-only), Malformed (the file is damaged), LimitExceeded.
#pragma once

#include "base/result.h"
#include "store/generationstore.h"
#include "store/modelstore.h"
#include "store/probestore.h"
#include "store/searchstore.h"
#include "store/sessionstore.h"
#include "store/settingsstore.h"
#include "store/trainingstore.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lens {

class Connection;

struct WorkspaceOptions {
    bool readOnly = false;
    bool create = true;         ///< where there is no file; otherwise NotFound. Never in read-only mode
    std::uint64_t maxBytes = 0; ///< the file may not grow beyond this (then Io, as with a full disk); 0 = no limit
};

class Workspace {
public:
    /// Opens or creates the file. One process at a time may have it open for writing: a second one gets Busy with the
    /// holder's process id in the text, and may open it read-only. Migrates files of older releases. Generations and
    /// training runs left running by a killed process become interrupted.
    ///
    /// Refuses, without changing a byte of what is there: NewerVersion; Truncated (empty or cut off); Malformed (not
    /// SQLite, damaged, or with a write-ahead log beside it that is not its own); Unsupported (a database of another
    /// program); NotFound; Io.
    static Result<std::unique_ptr<Workspace>> open(const std::string &path, const WorkspaceOptions &options = {});
    ~Workspace();

    const std::string &path() const;
    bool isReadOnly() const;
    std::int64_t schemaVersion() const;

    /// Generations that this opening found running and marked as interrupted.
    std::int64_t interruptedGenerations() const;

    ModelStore &models();
    SessionStore &sessions();
    GenerationStore &generations();
    ProbeStore &probes();
    SearchStore &search();
    SettingsStore &settings();
    TrainingStore &training();

    /// The full examination, indexes and references included; a sentence per fault, empty when all is well. Reads the
    /// whole file.
    Result<std::vector<std::string>> check();

    /// A consistent copy, while this one stays open. Refuses to replace an existing file (InvalidArgument).
    Result<void> backupTo(const std::string &path);

    /// For core/store itself: store/connection.h is not a public header.
    Connection &connection();

private:
    struct Impl;
    explicit Workspace(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

/// The format this release writes.
std::int64_t currentSchemaVersion();

} // namespace lens
