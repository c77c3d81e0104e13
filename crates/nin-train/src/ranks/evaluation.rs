//! Spreads an evaluation over the ranks: each evaluates every n-th batch.

use serde::{Deserialize, Serialize};

use super::agreement::unreadable;
use super::{Ranks, Turn};
use crate::TrainError;
use crate::calibration::Calibration;
use crate::evaluation::Evaluation;
use crate::score::Score;

/// What a rank found in its batches.
#[derive(Serialize, Deserialize)]
struct Found {
    /// The score of each batch. The loss is its bits, which may be those of NaN.
    scores: Vec<(u64, usize, usize)>,
    confusion: Vec<Vec<usize>>,
    calibration: Calibration,
    non_finite: usize,
}

impl Ranks {
    /// Joins the evaluations of all ranks, with the scores of their batches, in the order of one process; `None` if one
    /// was interrupted.
    pub(crate) fn joined_evaluation(
        &self,
        own: Result<(Evaluation, Vec<Score>, bool), TrainError>,
    ) -> Result<Option<Evaluation>, TrainError> {
        let own = own.map(
            |(evaluation, scores, is_whole)| {
                if is_whole { Turn::Go((evaluation, scores)) } else { Turn::Stop }
            },
        );
        let Turn::Go((mut evaluation, scores)) = self.agree(own)? else { return Ok(None) };
        if self.is_alone() {
            return Ok(Some(evaluation));
        }
        let scores = scores
            .into_iter()
            .map(|Score { loss_sum, correct, images }| (loss_sum.to_bits(), correct, images));
        let Evaluation { confusion, calibration, non_finite, .. } = evaluation;
        let found = Found { scores: scores.collect(), confusion, calibration, non_finite };
        let found = serde_json::to_vec(&found).map_err(|_| unreadable())?;
        let all: Vec<Found> = self
            .gathered(found)?
            .iter()
            .map(|bytes| serde_json::from_slice(bytes).map_err(|_| unreadable()))
            .collect::<Result<_, _>>()?;
        evaluation = Evaluation::new(all[0].confusion.len())?;
        let batches: usize = all.iter().map(|found| found.scores.len()).sum();
        for batch in 0..batches {
            let (loss, correct, images) = all[batch % all.len()].scores[batch / all.len()];
            evaluation.score.add(Score { loss_sum: f64::from_bits(loss), correct, images });
        }
        for found in &all {
            for (sums, counts) in evaluation.confusion.iter_mut().zip(&found.confusion) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            evaluation.calibration.merge(&found.calibration);
            evaluation.non_finite += found.non_finite;
        }
        Ok(Some(evaluation))
    }
}
