/** How a connect session's page opens. */
export interface Options {
  /** In a dialog over the page ("modal", the default), or in a window of its own. */
  mode?: "modal" | "window";
  /** Accessible name of the dialog and its frame: "Connect an account" by default. */
  title?: string;
  /** Called with each message, once for each, also with those that do not end the session. */
  on?: (message: Message) => void;
}

/** What a session's page tells. `declined` and `pending` do not end the session. */
export interface Message {
  status: "saved" | "granted" | "declined" | "pending" | "failed" | "expired" | "lost";
  session: string;
  proof?: string;
  reason?: string;
  /** Of `declined`: another text for each attempt. */
  attempt?: string;
}

/** How a session ended, as its page tells it. `closed` and `blocked` are the script's own findings. */
export interface Outcome {
  /**
   * `saved`: confirm `proof` on your server. `granted`: connected. `failed`, `expired`: over, with a `reason`.
   * `pending`: finished, and not confirmed yet when the user closed it: your server knows the end.
   * `lost`: this browser cannot go on; the session may go on elsewhere.
   * `closed`: by the user, or the provider has cut the window off: your server knows the session's status.
   * `blocked`: the browser opened no window; call `open` in the handler of a click.
   */
  status: "saved" | "granted" | "pending" | "failed" | "expired" | "lost" | "closed" | "blocked";
  /** The ID of the session; missing if its page had not loaded. */
  session?: string;
  proof?: string;
  reason?: string;
  /** Of `closed`: the last that was told before. */
  last?: "declined";
}

/** Open the page of a session, whose `url` your server has got by `POST /v1/workspaces/{w}/connect-sessions`. Resolves once, never rejects
 * unless `url` is none. */
export function open(url: string, options?: Options): Promise<Outcome>;

export as namespace jackfieldConnect;
