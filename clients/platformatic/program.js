// The claims of harness/programs.py for @platformatic/kafka, and some of its own.
import * as groups from "./groups.js";
import * as records from "./records.js";
import { claim } from "./session.js";
import * as topics from "./topics.js";
import * as transactions from "./transactions.js";

const claims = { ...groups, ...records, ...topics, ...transactions };

claims[claim]().then(() => process.exit(0), (error) => {
  console.dir(error, { depth: 6 });
  console.error(error);
  process.exit(1);
});
