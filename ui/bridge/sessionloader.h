// Reads a session back from the workspace, in one go, on the store's thread.
#pragma once

#include "bridge/conversation.h"
#include "store/workspace.h"

#include <QString>
#include <QStringList>

#include <vector>

namespace lens {

struct OpenedColumn {
    RowId row = 0;
    RowId modelRow = 0;
    ModelInfo model; ///< empty name: none was chosen
    std::vector<Exchange> exchanges;
    std::vector<TokenId> promptIds; ///< of the last answer
    std::vector<HeadFrame> frames; ///< measured of the last answer
};

struct OpenedSession {
    RowId session = 0;
    RowId turn = 0; ///< the last one shown
    QString title;
    QString systemPrompt;
    GenerationOptions options; ///< of the last answer
    std::vector<OpenedColumn> columns;
};

Result<OpenedSession> openSession(Workspace &workspace, RowId session);

} // namespace lens
