"""MCP servers of npm and PyPI: one tool of each, called as a model would."""

from __future__ import annotations

from functools import partial

from benchmarks.prove_public.software import Promise, Software

_Server = partial(Software, place="mcp", options=("--mcp",))
_MODULES = "{modules}"
_PAGE = "1d2f3a4b-0000-4000-8000-000000000000"
_TASK = (
    '{"POST /api/v1/tasks": {"body": {"id": "t1", "user_id": "u1", "project_id": "p1", "content": '
    '"lamp", "description": "", '
    '"labels": [], "priority": 1, "checked": false, "is_deleted": false, "is_collapsed": false, '
    '"child_order": 1, "day_order": -1, '
    '"note_count": 0, "added_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", '
    '"completed_at": null, "due": null, '
    '"deadline": null, "duration": null, "section_id": null, "parent_id": null, '
    '"responsible_uid": null, "assigned_by_uid": null, '
    '"added_by_uid": "u1", "goal_ids": []}}}'
)
_GITLAB_ISSUE = (
    '{"POST /api/v4/projects/1/issues": {"body": {"id": 1, "iid": 1, "project_id": 1, "title": "A '
    'lamp", "description": "", '
    '"state": "opened", "author": {"id": 1, "username": "a", "name": "a", "state": "active", '
    '"avatar_url": "", "web_url": ""}, '
    '"assignees": [], "labels": [], "milestone": null, "created_at": "2026-01-01T00:00:00Z", '
    '"updated_at": "2026-01-01T00:00:00Z", '
    '"closed_at": null, "web_url": "https://gitlab.com/1"}}}'
)
_JIRA_ISSUE = (
    '{"POST /rest/api/2/issue": {"status": 201, "body": {"id": "1", "key": "LAMP-1"}}, "GET '
    '/rest/api/2/issue/LAMP-1": {"body": {"id": "1", '
    '"key": "LAMP-1", "fields": {"summary": "A lamp", "status": {"name": "To Do"}, "issuetype": '
    '{"name": "Task"}, '
    '"project": {"key": "LAMP", "name": "Lamp"}}}}}'
)

SOFTWARE = (
    _Server(
        "MCP server for Slack",
        ("@modelcontextprotocol/server-slack",),
        Promise(),
        words=("node", f"{_MODULES}/@modelcontextprotocol/server-slack/dist/index.js"),
        variables={"SLACK_BOT_TOKEN": "xoxb-made-up", "SLACK_TEAM_ID": "T1"},
        arguments='{"slack_post_message": {"channel_id": "C1", "text": "hi"}}',
        answers=(
            '{"POST /api/chat.postMessage": {"body": {"ok": true, "ts": "1.2"}, "refused": '
            '{"status": 200, "body": {"ok": false, "error": "no"}}}}'
        ),
        ours="slack/postMessage",
    ),
    _Server(
        "MCP server for GitHub",
        ("@modelcontextprotocol/server-github",),
        Promise(),
        words=("node", f"{_MODULES}/@modelcontextprotocol/server-github/dist/index.js"),
        variables={"GITHUB_PERSONAL_ACCESS_TOKEN": "made-up"},
        arguments='{"create_issue": {"owner": "octocat", "repo": "hello", "title": "A lamp"}}',
        ours="github/createIssue",
    ),
    _Server(
        "MCP server for GitLab",
        ("@modelcontextprotocol/server-gitlab",),
        Promise(),
        words=("node", f"{_MODULES}/@modelcontextprotocol/server-gitlab/dist/index.js"),
        variables={"GITLAB_PERSONAL_ACCESS_TOKEN": "made-up"},
        answers=_GITLAB_ISSUE,
        arguments='{"create_issue": {"project_id": "1", "title": "A lamp"}}',
        ours="gitlab/createIssue",
    ),
    _Server(
        "MCP server of Notion",
        ("@notionhq/notion-mcp-server",),
        Promise(),
        words=("node", f"{_MODULES}/@notionhq/notion-mcp-server/bin/cli.mjs"),
        variables={"NOTION_TOKEN": "made-up"},
        arguments=(
            f'{{"API-post-page": {{"parent": {{"page_id": "{_PAGE}"}}, "properties": '
            f'{{"title": [{{"text": {{"content": "t"}}}}]}}}}}}'
        ),
        ours="notion/createPage",
    ),
    _Server(
        "MCP server for Trello",
        ("@delorenj/mcp-server-trello",),
        Promise(),
        words=("node", f"{_MODULES}/@delorenj/mcp-server-trello/build/index.js"),
        variables={"TRELLO_API_KEY": "made-up", "TRELLO_TOKEN": "made-up"},
        arguments='{"add_card_to_list": {"listId": "1", "name": "A lamp"}}',
        ours="trello/createCard",
    ),
    _Server(
        "MCP server of Todoist",
        ("@doist/todoist-mcp",),
        Promise(),
        answers=_TASK,
        words=("node", f"{_MODULES}/@doist/todoist-mcp/dist/main.js"),
        variables={"TODOIST_API_KEY": "made-up"},
        arguments='{"add-tasks": {"tasks": [{"content": "lamp"}]}}',
        ours="todoist/createTask",
    ),
    Software(
        "MCP server for Jira",
        ("mcp-atlassian",),
        Promise(),
        words=("{python}/mcp-atlassian",),
        options=("--mcp",),
        variables={
            "JIRA_URL": "https://jira.example.com",
            "JIRA_USERNAME": "a",
            "JIRA_API_TOKEN": "made-up",
        },
        arguments=(
            '{"jira_create_issue": {"project_key": "LAMP", "summary": "A lamp", '
            '"issue_type": "Task"}}'
        ),
        answers=_JIRA_ISSUE,
        ours="jira/createIssue",
    ),
)
