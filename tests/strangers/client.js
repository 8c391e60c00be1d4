// A client of a stranger: it knows the books only by the .proto files. It reads calls as JSON from its input, makes
// them, pages through lists, and prints what it got as JSON.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [contract, target] = process.argv.slice(2);
const files = fs.readdirSync(path.join(contract, "pathbook/v1")).filter((name) => name.endsWith(".proto"));
const definition = loader.loadSync(
  files.map((name) => `pathbook/v1/${name}`),
  { includeDirs: [contract], keepCase: true, longs: String, enums: String, bytes: String, defaults: true, arrays: true },
);
const services = grpc.loadPackageDefinition(definition).pathbook.v1;
const clients = new Map();

function client(service) {
  if (!clients.has(service)) {
    clients.set(service, new services[service](target, grpc.credentials.createInsecure()));
  }
  return clients.get(service);
}

function call({ service, method }, request) {
  return new Promise((resolve, reject) => {
    client(service)[method](request, { deadline: Date.now() + 30_000 }, (error, response) => {
      if (error) reject(error);
      else resolve(response);
    });
  });
}

async function answer(asked) {
  const { request, list } = asked;
  try {
    if (!list) return { response: await call(asked, request) };
    const items = [];
    const sizes = [];
    let page_token = request.page_token || "";
    do {
      const page = await call(asked, { ...request, page_token });
      items.push(...page[list]);
      sizes.push(page[list].length);
      page_token = page.next_page_token;
    } while (page_token);
    return { items, sizes };
  } catch (error) {
    return { code: grpc.status[error.code], details: error.details };
  }
}

async function main() {
  const answers = [];
  for (const asked of JSON.parse(fs.readFileSync(0, "utf8"))) answers.push(await answer(asked));
  process.stdout.write(JSON.stringify(answers));
  for (const each of clients.values()) each.close();
}

main();
