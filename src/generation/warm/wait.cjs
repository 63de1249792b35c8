// Loads packages, waits for an order, and then is the app.
//
// An order is a file: folder, number of arguments, arguments, and the variables besides those of
// this process, each ended by a NUL. What was loaded is of use only where the app, started anew,
// would have come to load the same: no variable that was read meanwhile has another value now. Else
// this process ends, and its code says that the app is to be started anew.
//
// No line of the app runs before. Node has no fork: this serves one start, and one that finds its
// order when it is started is the app at once.
"use strict";

(async ([place, beside, ...packages]) => {
  const fs = require("node:fs");
  const path = require("node:path");
  const Module = require("node:module");
  const vm = require("node:vm");
  const UNFIT = 75;
  const TURN_MS = 1;

  const called = (name) => fs.writeFileSync("/proc/self/comm", name);

  // Remembers which variables were asked for; all of them, as null.
  const watched = (environment, read) => {
    let listed = [];
    const asked = (name) => typeof name === "string" && read.add(name);
    // It lists them all for those of its own name, which are here from the beginning.
    const isByDebug = () => /\/node_modules\/debug\//.test(new Error().stack);
    return new Proxy(environment, {
      get(target, name) {
        asked(name);
        return target[name];
      },
      has(target, name) {
        asked(name);
        return name in target;
      },
      getOwnPropertyDescriptor(target, name) {
        const at = listed.indexOf(name);
        if (at < 0) asked(name);
        else listed.splice(at, 1);
        return Reflect.getOwnPropertyDescriptor(target, name);
      },
      ownKeys(target) {
        if (!isByDebug()) read.add(null);
        listed = Reflect.ownKeys(target);
        return [...listed];
      },
    });
  };

  // As a file beside the packages would load them. What Node remembers of a folder that it has
  // looked into would be older than the app, so it does not look into the app's.
  const loading = async (read) => {
    const fromBeside = Module.createRequire(beside);
    const loader = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;
    const { env, emitWarning } = process;
    process.env = watched(env, read);
    process.emitWarning = (warning, ...rest) => {
      if (!String(warning).includes("USE_MAIN_CONTEXT_DEFAULT_LOADER")) emitWarning(warning, ...rest);
    };
    for (const word of packages) {
      const [way, name] = word.split(":");
      try {
        if (way === "require") {
          fromBeside(name);
        } else if (loader) {
          const options = { filename: beside, importModuleDynamically: loader };
          await new vm.Script(`import(${JSON.stringify(name)})`, options).runInThisContext();
        }
      } catch (error) {
        // One that is not installed has loaded nothing; one that lacks another has.
        const missing = /^Cannot find (?:module|package) '([^']+)'/.exec(error?.message)?.[1];
        if (missing !== name) throw error;
      }
    }
    Object.assign(process, { env, emitWarning });
  };

  const taken = () => {
    const words = fs.readFileSync(place, "utf8").split("\0").slice(0, -1);
    fs.unlinkSync(place);
    const [folder, count] = words;
    const variables = words.splice(2 + Number(count)).map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
    return { folder, command: words.slice(2), variables };
  };

  const wouldBeTheSame = (variables, read) => {
    const changed = variables.filter(([name, value]) => process.env[name] !== value);
    return !changed.length || !(read.has(null) || changed.some(([name]) => read.has(name)));
  };

  // Everything is as a program finds it that was started by its name.
  const become = ({ folder, command, variables }) => {
    process.chdir(folder);
    for (const [name, value] of variables) process.env[name] = value;
    const script = command.findIndex((word, at) => at > 0 && !word.startsWith("-"));
    process.argv.splice(1, Infinity, path.resolve(command[script]), ...command.slice(script + 1));
    process.execArgv = command.slice(1, script);
    // What only a program has that is given on the command line.
    delete process._eval;
    const given = ["module", "exports", "require", "__filename", "__dirname", ...Module.builtinModules];
    const { webcrypto } = require("node:crypto");
    for (const name of given) {
      if (!["process", "console", "crypto"].includes(name)) delete globalThis[name];
    }
    if (globalThis.crypto !== webcrypto) {
      const { enumerable, set } = Object.getOwnPropertyDescriptor(globalThis, "crypto");
      const get = Object.getOwnPropertyDescriptor({ get crypto() { return webcrypto; } }, "crypto").get;
      Object.defineProperty(globalThis, "crypto", { get, set, enumerable, configurable: true });
    }
    const [uptime, waited] = [process.uptime, process.uptime()];
    process.uptime = () => uptime() - waited;
    called(path.basename(command[0]));
  };

  const read = new Set();
  if (!fs.existsSync(place)) {
    await loading(read);
    // Said by the name of the process, which its container's host can read.
    called("previewd-warm");
    const never = new Int32Array(new SharedArrayBuffer(4));
    while (!fs.existsSync(place)) Atomics.wait(never, 0, 0, TURN_MS);
  }
  const order = taken();
  if (!wouldBeTheSame(order.variables, read)) process.exit(UNFIT);
  become(order);
  // With no frame of this program below the app's.
  setImmediate(Module.runMain);
})(process.argv.slice(1)).catch((error) => {
  console.error(error);
  process.exit(1);
});
