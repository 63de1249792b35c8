// Puts pg in the place of @neondatabase/serverless. Written by previewd; no part of the app.
//
// That package speaks to Neon's own service over WebSockets and HTTP, which no other PostgreSQL answers. What
// it is asked for is the same as of pg, which it is made from, and `neon()`, which is made of pg here.
//
// node neon.cjs FOLDER: in the packages that code in FOLDER finds.
'use strict';

function standIn(nodeModule) {
  // Found from where the app runs, be its packages beside it, above it, or apart.
  const load = () => {
    const folders = ['/opt/node', '/opt/pages'];
    for (let at = process.cwd(); at !== '/'; at = at.replace(/\/[^/]*$/, '') || '/') folders.push(at);
    for (const folder of folders.flatMap((at) => [at, `${at}/node_modules/.tools`])) {
      try {
        return nodeModule.createRequire(`${folder}/index.js`)('pg');
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error;
      }
    }
    throw new Error('pg is not installed, which stands in for @neondatabase/serverless in a preview');
  };
  const pg = load();

  class Unsafe {
    constructor(sql) {
      this.sql = sql;
    }
  }

  // Sent when somebody waits for it, so that it can be a part of another or of a transaction.
  class Query {
    constructor(send, text, values = [], options = {}) {
      Object.assign(this, { text, values, options });
      Object.defineProperty(this, 'send', { value: send });
    }
    then(done, failed) {
      this.sent ??= this.send(this);
      return this.sent.then(done, failed);
    }
    catch(failed) {
      return this.then(undefined, failed);
    }
    finally(after) {
      return this.then().finally(after);
    }
  }

  const ask = async (client, { text, values, options }, defaults) => {
    const { arrayMode, fullResults, types } = { ...defaults, ...options };
    const result = await client.query({ text, values, types, rowMode: arrayMode ? 'array' : undefined });
    return fullResults ? Object.assign(result, { rowAsArray: Boolean(arrayMode) }) : result.rows;
  };

  // Apps call it for each request.
  const pools = new Map();
  const poolOf = (connectionString) => {
    if (!pools.has(connectionString)) {
      const pool = new pg.Pool({ connectionString, max: 5 });
      pool.on('error', () => {});
      pools.set(connectionString, pool);
    }
    return pools.get(connectionString);
  };

  function neon(connectionString, defaults = {}) {
    const pool = poolOf(connectionString);
    const send = (query) => ask(pool, query, defaults);
    const written = (strings, parts) => {
      let text = strings[0];
      const values = [];
      parts.forEach((part, index) => {
        const before = values.length;
        if (part instanceof Query) {
          text += part.text.replace(/\$(\d+)/g, (_, number) => `$${before + Number(number)}`);
          values.push(...part.values);
        } else if (part instanceof Unsafe) {
          text += part.sql;
        } else {
          text += `$${values.push(part)}`;
        }
        text += strings[index + 1];
      });
      return new Query(send, text, values);
    };
    const query = (text, values, options) => new Query(send, text, values, options);
    const sql = (first, ...rest) => (first?.raw ? written(first, rest) : query(first, ...rest));
    const transaction = async (given, options) => {
      const client = await pool.connect();
      try {
        const results = [];
        await client.query('BEGIN');
        for (const one of typeof given === 'function' ? given(sql) : given) {
          results.push(await ask(client, one, { ...defaults, ...options }));
        }
        await client.query('COMMIT');
        return results;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {});
        throw error;
      } finally {
        client.release();
      }
    };
    return Object.assign(sql, { query, transaction, unsafe: (text) => new Unsafe(text) });
  }

  const { Client, Pool, Connection, DatabaseError, Query: OfPg, defaults, escapeIdentifier, escapeLiteral, types } = pg;
  return {
    Client, Pool, Connection, DatabaseError, Query: OfPg, defaults, escapeIdentifier, escapeLiteral, types,
    NeonDbError: DatabaseError, NeonQueryPromise: Query, UnsafeRawSql: Unsafe, neon, neonConfig: {},
  };
}

const { createRequire } = require('node:module');
const { dirname, resolve } = require('node:path');
const { writeFileSync } = require('node:fs');

const from = createRequire(resolve(process.argv[2] ?? '.', 'index.js'));
const folder = dirname(from.resolve('@neondatabase/serverless'));
const names =
  'Client, Pool, Connection, DatabaseError, Query, defaults, escapeIdentifier, escapeLiteral, types, NeonDbError, NeonQueryPromise, UnsafeRawSql, neon, neonConfig';
// Asked for in this way first, because bundlers take the module for something of theirs.
const ask = (otherwise) => `process.getBuiltinModule?.('module') ?? ${otherwise}`;
writeFileSync(`${folder}/index.js`, `module.exports = (${standIn})(${ask("require('module')")});\n`);
writeFileSync(
  `${folder}/index.mjs`,
  `import * as nodeModule from 'module';\nexport const { ${names} } = (${standIn})(${ask('nodeModule')});\n`,
);
