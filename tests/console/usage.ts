// What a user writes; types.test.mjs compiles it.
import { RequestFailed, StreamerClient, type Update } from "../../console/streamer.js";

export async function report(token: () => Promise<string>): Promise<string> {
  const client = await StreamerClient.connect({ url: "wss://x", ticketUrl: "https://x", token });
  client.addEventListener("connection", ({ detail }) => console.log(detail.state, detail.resumes));
  const handle = await client.submit("generate_report", { title: "x" }, { priority: 9 });
  for await (const update of handle) show(update);
  try {
    const { html } = await handle.result<{ html: { link: string } }>({ timeoutMs: 60_000 });
    return html.link;
  } catch (error) {
    if (error instanceof RequestFailed) return error.error.code;
    for (const one of (await client.explain(handle.requestId)).watchers) {
      console.log(one.delivered, one.missed?.why);
      // @ts-expect-error it may not be there
      console.log(one.missed.why);
    }
    throw error;
  } finally {
    client.close();
  }
}

function show(update: Update): void {
  const percent: number | null = update.percent;
  console.log(update.type, percent ?? "", update.at.toISOString(), update.state?.status);
  // @ts-expect-error an update is not to be changed
  update.version = 1;
}
