// Search runs in a worker, which browsers refuse to a page that was opened from disk. There the
// script of the worker is run in a hidden frame instead.
"use strict";
const copied = (data) => new MessageEvent("message", { data: structuredClone(data) });
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.documentElement.append(this.frame);
      this.ready = new Promise((resolve, reject) => {
        const inside = this.frame.contentWindow;
        inside.postMessage = (data) => {
          const message = copied(data);
          setTimeout(() => {
            this.onmessage?.(message);
            this.dispatchEvent(message);
          });
        };
        const script = inside.document.createElement("script");
        script.addEventListener("load", () => resolve(inside));
        script.addEventListener("error", reject);
        script.src = address;
        inside.document.documentElement.append(script);
      });
    }

    postMessage(data) {
      const message = copied(data);
      this.ready.then((inside) => setTimeout(() => inside.dispatchEvent(message)));
    }

    terminate() {
      this.frame.remove();
    }
  };
