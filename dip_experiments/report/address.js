// The address: after its # stands which view of what, filters, sort, iteration and switches, so that each can be linked.

function readAddress() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

// The part after # for these words; those that are empty are left out.
function link(words) {
  const said = Object.entries(words).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return `#${new URLSearchParams(said)}`;
}

// What is on the page now stands in the address, without a new entry in the browser's history.
function note(changes) {
  history.replaceState(null, "", link({ ...readAddress(), ...changes }));
}
