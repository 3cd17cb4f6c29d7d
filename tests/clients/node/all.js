'use strict';

// Every test, in one process and one after the other: some of them move the sandbox's clock.
for (const name of [
  'oauth', 'lists', 'time_activity', 'sales', 'company', 'query', 'batch', 'changes', 'errors',
]) {
  require(`./${name}.test.js`);
}
