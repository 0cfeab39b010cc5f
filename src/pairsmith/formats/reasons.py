"""The codes of everything that can be wrong or noteworthy about a row, each with one sentence of meaning."""

from collections.abc import Mapping

__all__ = ["REASONS", "WARNINGS"]

REASONS: Mapping[str, str] = {
    # the line or cell cannot be read
    "line_too_long": "The line is longer than 16 MiB.",
    "invalid_utf8": "A byte is not valid UTF-8; its offset in the line is given.",
    "invalid_json": "The line is not valid JSON.",
    "torn_last_line": "The last line has no line end and is not complete JSON: the file was cut off.",
    "several_objects": "More than one JSON object stands on the line.",
    "not_an_object": "The line is valid JSON, but not an object with named fields.",
    "duplicate_key": "A key is given twice in one object; JSON readers would keep the last one silently.",
    "too_many_keys": "An object has more than 256 keys.",
    "nested_too_deep": "Lists and objects are nested more than 64 levels deep.",
    "not_a_number": "NaN or Infinity, which are not JSON.",
    "number_out_of_range": "A number is too large to be held: it would become infinite, or has over 1,000 digits.",
    "nul_character": "A NUL character, written out or escaped.",
    "control_character": "A control character inside a string is not escaped.",
    "lone_surrogate": "Half of a surrogate pair, which no UTF-8 file can hold.",
    "invalid_csv": "The quotes of the row do not follow the rules of CSV.",
    "too_few_columns": "The row has fewer columns than the header.",
    "too_many_columns": "The row has more columns than the header.",
    "invalid_xml": "The XML breaks off or is malformed here; the rows before it were used.",
    # a field is not what it must be
    "missing_field": "A field that the format needs is not there.",
    "null_value": "The field is null.",
    "wrong_type": "The field is of another type than the format needs, for example a number where text belongs.",
    "empty_text": "The text is empty.",
    "blank_text": "The text holds only white space or characters that cannot be seen.",
    "alias_collision": "Two fields that mean the same are both given.",
    "invalid_checks": "`checks` is not a list of objects with `kind` (text) and `args` (object).",
    "unknown_label": "The vote is none of the known labels.",
    "other_annotator": "The row of a sheet stands under another name than the one it was made for.",
    "score_out_of_scale": "The score lies outside the scale that the row declares.",
    # conversations
    "empty_messages": "The list of messages is empty.",
    "unknown_role": "A message has a role other than system, user or assistant.",
    "wrong_role_order": "After an optional system message, user and assistant must take turns, the user first.",
    "no_user_turn": "The conversation has no user message.",
    "tool_calls": "A message calls a tool or holds a tool's answer, and in a chat log no answer in words comes before.",
    "content_parts": "A message is a list of parts (images, audio) and not plain text.",
    "ends_without_answer": "The completion does not end with an assistant message.",
    "prompt_mismatch": "The two sides do not share the same prompt.",
    "mixed_types": "One side is a text, the other a list of messages.",
    "turn_out_of_range": "`turn` names an answer that the conversations do not have.",
    "no_common_turn": "The two transcripts share no start that ends in 'Assistant:'.",
    "not_a_prompt": "The message is an answer, or a reply whose earlier turns are not in the row.",
    # pairs
    "identical_answers": "Chosen and rejected are the same.",
    "equal_after_normalising": "Chosen and rejected differ only in case, spacing or invisible characters.",
    # edits
    "unknown_response": "The response that was edited is not in this project's ledger, or the id is none.",
    # the row against other rows
    "duplicate_id": "An earlier row of the file has the same id and other content.",
    "conflicting_fact": "An earlier row gives the same answer another score by the same scorer.",
}
"""Why a row was not used."""

WARNINGS: Mapping[str, str] = {
    # put right while reading
    "byte_order_mark": "The file starts with a byte order mark, which was removed.",
    "carriage_returns": "Lines end in CR LF or CR, which was removed.",
    "no_final_newline": "The last line has no line end.",
    "unclosed_array": "The JSON array is never closed; rows may be missing at its end.",
    "outside_project": "The file is a link that leads out of the project folder.",
    # the row against other rows
    "duplicate_row": "The row repeats an earlier row of the file exactly and adds nothing.",
    "mixed_schemas": "The first rows do not all look like the same format.",
    "repeat_vote": "The annotator voted on the same comparison before, with the same result.",
    "changed_vote": "The annotator voted on the same comparison before, with another result; the last vote counts.",
    "reversed_pair": "The pair also stands in this source the other way round; both directions count as votes.",
    "stored_otherwise": "An earlier source gave a fact with the same id and other content, which stays.",
    # what the row leaves open
    "renamed_field": "A field name was recognised in spite of capitals, spaces or hyphens.",
    "unusable_id": "The `id` is empty or not a text or number; it is ignored.",
    "no_annotator": "The row does not say who voted; the name of the source stands for the annotator.",
    "not_edited": "The response of the row was not changed, or only in spacing or case; it adds nothing.",
    "unlinked_vote": "The vote names a pair that is not described in the row.",
    "unanswered": "The row of a sheet is not filled in yet.",
    "implicit_prompt": "There is no prompt field; the common start of both sides was taken.",
    "prompt_repeated": "Both sides begin with the prompt, which was removed from them.",
    "later_turns_ignored": "Only the first of several user turns was taken, as the answers between them are missing.",
    "cut_before_tools": "The conversation was kept up to its last answer in words before a tool is used.",
    "no_answer": "The conversation ends with the user; there is a prompt and no candidate.",
    "embedded_marker": "The answer holds 'Human:' or 'Assistant:' at the start of a paragraph; it was left as it is.",
    "role_order": "Two turns of the same speaker follow each other.",
    "score_without_scale": "The scores were not used, since the row does not declare their `scale`.",
    "scores_contradict_label": "The rejected answer has the higher score.",
    "empty_answer": "An answer that was voted on is empty.",
    "not_text_answer": "An answer that was voted on is true, false or a number in the file; its text is unknown.",
    "same_answer": "The two answers that were voted on are the same.",
    # what the texts look like
    "nearly_identical": "Chosen and rejected share more than 97 % of their text at start and end.",
    "prompt_echo": "The chosen answer begins with the prompt.",
    "answer_in_prompt": "The prompt contains the chosen answer.",
    "refusal_chosen": "The chosen answer reads like a refusal.",
    "self_reference": "An answer speaks of itself as an AI or a named model.",
    "cut_off": "An answer was cut off: its finish reason is `length`.",
    "unbalanced_code_fence": "An answer opens a code block that it does not close.",
    "looped_text": "More than 30 % of the word 4-grams of an answer are repetitions.",
    "one_word_answer": "An answer is a single word.",
    "special_tokens": "A text holds tokens of a chat template, such as [INST].",
    "bidi_control": "A text holds characters that change the direction of writing.",
}
"""What is worth knowing about a row that was used."""
