// How to invite others: the link, its QR code, and the commands for terminals, in a dialog, in an
// empty private room, and on the classroom's wall.

import { copy } from "./clipboard.js";
import { byId, element, qrPicture } from "./dom.js";
import { qrCode } from "./qr.js";
import { word } from "./words.js";

/**
 * The link to a room: with the address of this page, which others can reach too unless it belongs
 * to this machine only; otherwise with the address that the server knows.
 */
export function linkTo(invite, page) {
  const url = new URL("./", page);
  const isHere = /^(localhost|127\.|\[::1\])/u.test(url.hostname);
  if (isHere && invite.link) return invite.link;
  url.hash = invite.key ? `#${invite.key}` : "";
  return url.href;
}

/** The commands for people at terminals. */
export function lines(invite, link) {
  const madang = invite.key ? `madang ${link}` : invite.madang;
  // There are none if lines are accepted only from this machine.
  const [nc, join] = byNc(invite, link);
  if (!nc) return [madang];
  const [program, host, port] = nc.split(" ");
  const curl = program === "nc" && `curl -NT. telnet://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return [madang, nc, curl, join].filter(Boolean);
}

/** What to type without madang. A page loaded over https shows no command that sends the key unencrypted. */
function byNc(invite, link) {
  return invite.key && link.startsWith("https:") && !invite.encrypted ? [] : invite.nc;
}

/** Fills and shows the dialog. */
export function showInvite(invite) {
  fillInvite(invite);
  // If the dialog itself asked for words, they are added to it.
  if (byId("invite").open) return;
  byId("invite").showModal();
  byId("copy-link").focus();
}

/** Shows the invitation to a room wherever it belongs. */
export function fillInvite(invite) {
  const link = linkTo(invite, location.href);
  const modules = qrCode(link);
  const code = () => (modules ? qrPicture(modules, word("qrLabel")) : "");
  byId("invite-text").textContent = word(invite.key ? "invitePrivate" : "inviteLobby");
  for (const place of ["invite", "start", "wall"]) byId(`${place}-code`).replaceChildren(code());
  for (const place of ["invite", "start"]) byId(`${place}-link`).value = link;
  for (const button of ["copy-link", "start-copy"]) byId(button).textContent = word("copy");
  byId("show-words").hidden = !invite.key || Boolean(invite.words);
  byId("invite-words").hidden = !invite.words;
  if (invite.words) byId("invite-words").textContent = word("wordsOpen", invite.words, Math.ceil(invite.words_seconds / 60));
  byId("invite-plain").hidden = link.startsWith("https:");
  byId("invite-lines").replaceChildren(...lines(invite, link).map((line) => element("li", {}, element("code", {}, line))));
  const parts = link.replace(/^https?:\/\//u, "").split(/(?=#)/u);
  byId("wall-link").replaceChildren(...parts.map((part) => element("span", {}, part)));
  byId("wall-lines").textContent = byNc(invite, link).join("\n");
}

/** Makes the buttons copy the link, as far as the page may. */
export function prepareCopying() {
  for (const [button, field] of [["copy-link", "invite-link"], ["start-copy", "start-link"]]) {
    byId(button).addEventListener("click", async () => {
      const isCopied = await copy(byId(field).value);
      // If the browser does not allow that, people can copy it themselves.
      if (!isCopied) {
        byId(field).focus();
        byId(field).select();
      }
      byId(button).textContent = word(isCopied ? "copied" : "selected");
    });
  }
}
