//! The simulated exchange against the venue's own specification and against what was captured from the venue.
//!
//! Skipped where the specification and the captures are not at hand: they are not part of the repository.

mod schema;
mod spec;

use serde_json::Value;
use spec::{Spec, message_name};

/// Examples of asyncapi.yaml that contradict their own schema.
const BAD_EXAMPLES: [(&str, &str); 0] = [];

/// The validator takes what the specification itself shows, except where an example contradicts its schema.
#[test]
fn the_examples_of_the_specification_are_valid() {
    let Some(spec) = Spec::at_hand() else { return };
    let (mut taken, mut used) = (0, Vec::new());
    for message in spec.socket.at("/components/messages").as_object().expect("messages").values() {
        for example in message["examples"].as_array().into_iter().flatten() {
            let (name, payload) = (example["name"].as_str().unwrap_or_default(), &example["payload"]);
            if !payload.is_object() {
                continue;
            }
            let faults = spec.socket.check(&message["payload"], payload);
            let excuse = BAD_EXAMPLES.iter().find(|(bad, _)| *bad == name);
            match (faults.first(), excuse) {
                (None, None) => taken += 1,
                (Some(fault), Some((bad, what))) if fault.what.contains(what) => used.push(*bad),
                (Some(fault), _) => { eprintln!("example {name} of {}: {fault}", message["name"]); }
                (None, Some(_)) => panic!("example {name} is good: it needs no excuse"),
            }
        }
    }
    assert_eq!(used.len(), BAD_EXAMPLES.len());
    println!("{taken} examples of the specification are valid, {} contradict their schema", used.len());
    assert!(taken > 40, "{taken}");
    let _ = (message_name(&Value::Null, None), &spec.rest, &spec.operations, &spec.messages);
}
