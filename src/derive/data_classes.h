// Names, prompts and message marks in, classes of data out: identity, vital-signs, waveform, credentials, location,
// network-identity. The lexicon is models/data_classes.yaml.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace derive {

// Classes of what an identifier or a settings key names ("PatientName", "pat_id", "loginpass"); sorted, without repeats.
std::vector<std::string> data_classes_of_name(std::string_view name);

// Classes of what a text shows, asks for or sends: prompts and labels (UTF-8 and GBK), HL7, DICOM, FHIR and 11073 marks.
std::vector<std::string> data_classes_of_text(std::string_view text);

// The class in words: "patient identity". The class itself when it has none.
std::string_view data_class_words(std::string_view data_class);

// Class of patient data, in the sense of CWE-359: identity, vital signs, waveforms.
bool is_patient_data(std::string_view data_class);

}  // namespace derive
