/** How a connect session's page opens. */
export interface Options {
  /** In a dialog over the page ("modal", the default), or in a window of its own. */
  mode?: "modal" | "window";
  /** Accessible name of the dialog and its frame: "Connect an account" by default. */
  title?: string;
}

/** How a session ended, as its page tells it. `closed` and `blocked` are the script's own findings, without `session`. */
export interface Outcome {
  /**
   * `saved`: confirm `proof` on your server. `granted`: connected. `failed`, `expired`: over, with a `reason`.
   * `closed`: by the person, or the provider has cut the window off: your server knows the session's status.
   * `blocked`: the browser opened no window; call `open` in the handler of a click.
   */
  status: "saved" | "granted" | "failed" | "expired" | "closed" | "blocked";
  session?: string;
  proof?: string;
  reason?: string;
}

/** Open the page of a session, whose `url` your server has got by `POST /v1/workspaces/{w}/connect-sessions`. Resolves once, never rejects
 * unless `url` is none. */
export function open(url: string, options?: Options): Promise<Outcome>;

export as namespace jackfieldConnect;
