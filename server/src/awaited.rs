//! `Awaited`: answers that a coordinator gives later than it is asked, each under the token of its question.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::group::ReplyToken;

/// Who waits for the answers of one coordinator.
#[derive(Debug)]
pub struct Awaited<R> {
    waiting: RefCell<HashMap<ReplyToken, oneshot::Sender<R>>>,
    next_token: Cell<u64>,
}

impl<R> Default for Awaited<R> {
    fn default() -> Awaited<R> {
        Awaited { waiting: RefCell::default(), next_token: Cell::new(0) }
    }
}

impl<R> Awaited<R> {
    /// A new question, and where its answer comes; an error there says that the coordinator is gone.
    pub fn question(&self) -> (ReplyToken, oneshot::Receiver<R>) {
        let token = ReplyToken(self.next_token.get());
        self.next_token.set(token.0 + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(token, sender);
        (token, receiver)
    }

    /// Gives an answer, if the question has none yet. The connection may be gone: its client asks again, or is missed elsewhere.
    pub fn answer(&self, token: ReplyToken, answer: R) {
        if let Some(waiting) = self.waiting.borrow_mut().remove(&token) {
            let _ = waiting.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_has_its_own_answer_once() {
        let awaited = Awaited::default();
        let ((first, mut to_first), (second, mut to_second)) = (awaited.question(), awaited.question());
        awaited.answer(second, "b");
        awaited.answer(second, "again");
        assert_eq!((to_first.try_recv().ok(), to_second.try_recv().ok()), (None, Some("b")));
        drop(to_first);
        awaited.answer(first, "nobody hears it");
        assert!(awaited.waiting.borrow().is_empty());
    }
}
